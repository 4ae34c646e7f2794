//! `risk-bench`: measures how good the learned score is, and writes the page of figures.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use risk_bench::ecommerce::Ecommerce;
use risk_bench::failure::{Failure, Result};
use risk_bench::handbook::{Handbook, Period};
use risk_bench::page::Report;
use risk_bench::table;
use risk_training::Settings;

/// How good the learned score is, on published data.
#[derive(Parser)]
#[command(version, about, long_about = None)]
struct Arguments {
    /// The folder that holds `fraud_handbook/transactions.csv.gz` and `fraud_ecommerce/purchases.csv`
    #[arg(long, value_name = "DIR", default_value = "../shared/data")]
    data: PathBuf,
    /// The first day that is trained on
    #[arg(long, value_name = "DAY", default_value = "2018-07-25")]
    train_from: String,
    /// Days that are trained on
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(i64).range(1..=365))]
    train_days: i64,
    /// Days between those and the ones that are judged
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(i64).range(0..=365))]
    delay_days: i64,
    /// Days that are judged
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(i64).range(1..=365))]
    test_days: i64,
    /// Earlier periods, a week apart, that are judged too; the settings are chosen on them
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(i64).range(0..=52))]
    earlier: i64,
    /// Parts that the devices are split into; each is judged by a model of the others
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(2..=100))]
    folds: u64,
    #[command(flatten)]
    settings: SettingsArguments,
    /// Write the figures to this page
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
    /// The command that the page names
    #[arg(long, value_name = "TEXT", default_value = "risk-bench")]
    made_by: String,
}

/// How trees are grown [default: as `counterfoil risk train` grows them].
#[derive(clap::Args)]
struct SettingsArguments {
    /// Trees
    #[arg(long, value_name = "N", default_value_t = Settings::default().trees)]
    trees: usize,
    /// By how much each tree counts
    #[arg(long, value_name = "X", default_value_t = Settings::default().learning_rate)]
    learning_rate: f32,
    /// Splits between a root and a leaf
    #[arg(long, value_name = "N", default_value_t = Settings::default().depth)]
    depth: usize,
    /// What a leaf must weigh at least
    #[arg(long, value_name = "X", default_value_t = Settings::default().least_leaf_weight)]
    least_leaf_weight: f32,
}

impl SettingsArguments {
    fn settings(&self) -> Settings {
        let Self { trees, learning_rate, depth, least_leaf_weight } = *self;
        Settings { trees, learning_rate, depth, least_leaf_weight, ..Settings::default() }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(text) => {
            print(&text);
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "the figures are what this command is for")]
fn print(text: &str) {
    println!("{text}");
}

fn run(arguments: &Arguments) -> Result<String> {
    let begun = Instant::now();
    let settings = arguments.settings.settings();
    let day = |text: &str| table::day(text).ok_or_else(|| Failure::Day(text.to_owned()));
    let Arguments { train_days, delay_days, test_days, .. } = *arguments;
    let period = Period { train_from: day(&arguments.train_from)?, train_days, delay_days, test_days };
    // The judged days of the latest of them end before labels of `period` are waited for.
    let ends_before = (test_days + delay_days + 6) / 7;
    let earlier: Vec<Period> = (0..arguments.earlier).map(|n| period.earlier(7 * (ends_before + n))).collect();
    let first = earlier.last().map_or(period.train_from, |earliest| earliest.train_from);

    let transactions = arguments.data.join("fraud_handbook/transactions.csv.gz");
    let handbook = Handbook::open(&transactions, first..period.end())?;
    let ecommerce = Ecommerce::open(&arguments.data.join("fraud_ecommerce/purchases.csv"))?;
    let report = Report {
        made_by: &arguments.made_by,
        settings,
        verdict: handbook.judge(period, &settings)?,
        earlier: earlier.into_iter().map(|earlier| handbook.judge(earlier, &settings)).collect::<Result<_>>()?,
        days: handbook.days,
        ask: handbook.ask,
        folds: ecommerce.judge(arguments.folds, &settings)?,
        seconds: begun.elapsed().as_secs_f64(),
    };
    let text = report.page();
    if let Some(path) = &arguments.page {
        std::fs::write(path, format!("{text}\n")).map_err(Failure::file(path))?;
    }
    Ok(text)
}
