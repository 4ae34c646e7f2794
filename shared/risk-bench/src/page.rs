//! The page of figures.

use std::fmt::Write;
use std::time::Duration;

use risk_training::{Metrics, Settings};

use crate::ecommerce::{self, Folds, mean_auc};
use crate::handbook::{self, Verdict};
use crate::hindsight::COLUMNS;
use crate::table::day_text;

/// What the page says.
pub struct Report<'a> {
    /// The command that makes it.
    pub made_by: &'a str,
    /// How the trees were grown.
    pub settings: Settings,
    /// The period that was asked for.
    pub verdict: Verdict,
    /// Periods before it.
    pub earlier: Vec<Verdict>,
    /// The first and last day of the transactions that were read.
    pub days: Option<(i64, i64)>,
    /// What asking about one of them took.
    pub ask: Duration,
    /// Devices.
    pub folds: Folds,
    /// What all of it took.
    pub seconds: f64,
}

/// What was published of the handbook's data: whose it is, area under the curve, average precision, card precision.
const PUBLISHED: [(&str, f64, f64, f64); 2] = [
    ("Handbook, random forest (ch. 3)", 0.867, 0.658, 0.287),
    ("Handbook, XGBoost, tuned (ch. 5)", 0.869, 0.687, 0.303),
];

/// What was asked for on devices: area under the curve.
const WANTED: f64 = 0.80;

impl Report<'_> {
    /// The page, in Markdown.
    pub fn page(&self) -> String {
        let parts = [self.head(), self.transactions(), self.weeks(), self.devices(), inputs()];
        parts.join("\n\n")
    }

    fn head(&self) -> String {
        let Settings { trees, learning_rate, depth, least_leaf_weight, l2, .. } = self.settings;
        format!(
            "# How good the learned score is\n\n`{}`, in {:.0} s. Every event goes through the features of production \
             (`risk::feature::Table`) in its order: it is asked about first and counted then, and a label is told when its \
             delay of 7 days is over. `risk-training` grows {trees} trees (learning rate {learning_rate}, depth {depth}, \
             leaf weight {least_leaf_weight}, L2 {l2}), `risk::model` scores. The settings are the defaults of training, \
             the same for both sets.",
            self.made_by, self.seconds,
        )
    }

    fn transactions(&self) -> String {
        let Verdict { period, metrics, score } = &self.verdict;
        let mut text = String::from("## Card transactions (Fraud Detection Handbook)\n\n");
        if let Some((first, last)) = self.days {
            let (first, last) = (day_text(first), day_text(last));
            _ = write!(
                text,
                "Simulated transactions of {first} to {last} with customer (→ user) and terminal (→ store). "
            );
        }
        _ = write!(
            text,
            "The handbook's protocol: trained on {} days from {} on, {} days of delay, judged on the {} days from {} on, \
             without customers that were known to be compromised on the day. Card precision@100: the share of compromised \
             cards among the 100 that are scored highest in a day, each found once.\n\n",
            period.train_days,
            day_text(period.train_from),
            period.delay_days,
            period.test_days,
            day_text(period.test_from()),
        );
        text.push_str("| | AUC | average precision | card precision@100 |\n|---|---:|---:|---:|\n");
        _ = writeln!(text, "| Counterfoil | {} |", figures(metrics));
        for (whose, auc, precision, cards) in PUBLISHED {
            _ = writeln!(text, "| {whose} | {auc:.3} | {precision:.3} | {cards:.3} |");
        }
        _ = write!(
            text,
            "\nJudged: {} transactions, {} of them fraud. The published figures are of 2018-08-08 to 2018-08-14. To read all \
             inputs of one took {:.1} µs, to score it {:.1} µs, on one core of a machine that was at work.",
            metrics.rows,
            metrics.frauds,
            self.ask.as_secs_f64() * 1e6,
            score.as_secs_f64() * 1e6,
        );
        text
    }

    fn weeks(&self) -> String {
        let mut text = String::from(
            "### Earlier weeks\n\nThe inputs and the settings were chosen on these, whose judged days end before the delay above \
             begins.\n\n\
             | trained from | judged from | AUC | average precision | card precision@100 |\n|---|---|---:|---:|---:|\n",
        );
        for Verdict { period, metrics, .. } in self.earlier.iter().rev() {
            let (from, judged) = (day_text(period.train_from), day_text(period.test_from()));
            _ = writeln!(text, "| {from} | {judged} | {} |", figures(metrics));
        }
        text.trim_end().to_owned()
    }

    fn devices(&self) -> String {
        let Folds { folds, .. } = &self.folds;
        let mut text = format!(
            "## Signups and purchases (`fraud_ecommerce`)\n\nA signup is a claim, a purchase a redemption, each with user, \
             device, address and channel (`source`). A hash of the device splits the devices into {} parts; each part is \
             judged by a model that was trained on the others. Published for the whole set, split by time: AUC .519 to .636 \
             (fraud-dataset-benchmark).\n\n| part | purchases | fraud | AUC | average precision |\n|---|---:|---:|---:|---:|\n",
            folds.len(),
        );
        for (number, fold) in folds.iter().enumerate() {
            let Metrics { rows, frauds, auc, average_precision, .. } = fold;
            _ = writeln!(text, "| {} | {rows} | {frauds} | {auc:.3} | {average_precision:.3} |", number + 1);
        }
        _ = write!(text, "| mean | | | {:.3} | |\n\n", mean_auc(folds));
        text + &self.bound()
    }

    /// Why it is no more.
    fn bound(&self) -> String {
        let Folds { folds, at_once: (soon, soon_frauds), others_auc, hindsight, differences } = &self.folds;
        let all: usize = folds.iter().map(|fold| fold.frauds).sum();
        let told =
            COLUMNS.iter().zip(differences).filter_map(|(column, by)| Some(format!("`{column}` {:+.1}", (*by)?)));
        format!(
            "{soon} purchases were made in the minute of the signup, and {soon_frauds} of these are fraud, of {all} in all. \
             Among the others the AUC is {}; for {WANTED:.2} over all it had to be {:.3}. Beside the device there is little \
             to see: by so many standard deviations fraud differs there between a column's values more than by chance, 3 \
             being clear: {}. The same trees, when they know the future too (all users that a device ever has, and \
             which of the others are fraud), reach {:.3} over all.",
            others_auc.map_or_else(|| "not defined".to_owned(), |auc| format!("{auc:.3}")),
            self.folds.others_needed(WANTED),
            told.collect::<Vec<_>>().join(", "),
            mean_auc(hindsight),
        )
    }
}

fn figures(metrics: &Metrics) -> String {
    let Metrics { auc, average_precision, card_precision_100, .. } = metrics;
    format!("{auc:.3} | {average_precision:.3} | {card_precision_100:.3}")
}

fn inputs() -> String {
    let list = |inputs: &[&str]| inputs.iter().fold(String::new(), |text, input| text + "\n- `" + input + "`");
    format!(
        "## What the models look at\n\nTransactions:\n{}\n\nPurchases:\n{}",
        list(&handbook::INPUTS),
        list(&ecommerce::INPUTS)
    )
}
