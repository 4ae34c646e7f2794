//! Training of the score from labelled requests: rows in, an artifact that `risk::model` reads and measured figures out.
//!
//! Architecture invariant: nothing here decides; a service links `risk` and never this. The same rows, settings and
//! seed give the same artifact on one machine, whatever the number of threads; between machines the platform's `exp` may
//! round otherwise. Whatever an artifact says once it is written, it says everywhere.
//!
//! The trees are grown by `forust-ml`: gradient boosting with second-order gradients and histograms, as `XGBoost` does it
//! (Chen and Guestrin, *`XGBoost`: A Scalable Tree Boosting System*, KDD 2016), with a learnt direction for what is not known.

mod export;
mod metrics;
mod problem;
mod settings;

use forust_ml::gradientbooster::{GrowPolicy, MissingNodeTreatment};
use forust_ml::objective::ObjectiveType;
use forust_ml::sampler::SampleMethod;
use forust_ml::{GradientBooster, Matrix};
use risk::model::{Artifact, Model};

pub use metrics::{Judged, Metrics};
pub use problem::TrainingProblem;
pub use settings::Settings;

/// A request of the past of which it is known what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The values of the inputs, as of the moment of the decision; not a number where one was not known.
    pub values: Vec<f64>,
    /// Whether it was fraud.
    pub fraud: bool,
    /// The day on which it happened, counted from any day.
    pub day: i64,
    /// What stands for whom it concerns: the card, the user.
    pub who: u64,
}

/// What training gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Trained {
    /// The model, trained on all rows.
    pub artifact: Artifact,
    /// How a model with the same settings does that was trained on the earlier rows, on the later ones, which it did not
    /// see. Nothing where either part has not both kinds of rows.
    pub metrics: Option<Metrics>,
}

/// Trains a model on rows in the order of their time.
pub fn train(rows: &[Row], inputs: &[String], settings: &Settings) -> Result<Trained, TrainingProblem> {
    let artifact = fit(rows, inputs, settings)?;
    let (earlier, later) = rows.split_at(settings.first_held_out(rows.len()));
    let metrics = match fit(earlier, inputs, settings) {
        Ok(artifact) => Metrics::of(&judge(&artifact, later)?),
        Err(TrainingProblem::OneKind) => None,
        Err(problem) => return Err(problem),
    };
    Ok(Trained { artifact, metrics })
}

/// The model alone.
pub fn fit(rows: &[Row], inputs: &[String], settings: &Settings) -> Result<Artifact, TrainingProblem> {
    settings.check()?;
    check(rows, inputs)?;
    let columns: Vec<f64> = (0..inputs.len()).flat_map(|input| rows.iter().map(move |row| row.values[input])).collect();
    let labels: Vec<f64> = rows.iter().map(|row| f64::from(u8::from(row.fraud))).collect();
    let mut booster = booster(settings)?;
    let rows = Matrix::new(&columns, rows.len(), inputs.len());
    booster.fit(&rows, &labels, &vec![1.0; labels.len()], None).map_err(problem::library)?;
    let artifact = export::artifact(&booster, inputs);
    // Whatever this writes, a service must be able to read.
    Model::parse(&artifact.to_bytes())?;
    Ok(artifact)
}

/// What an artifact says of rows, beside what became of them.
pub fn judge(artifact: &Artifact, rows: &[Row]) -> Result<Vec<Judged>, TrainingProblem> {
    let model = Model::parse(&artifact.to_bytes())?;
    let judged = |row: &Row| Judged {
        probability: model.score_values(&row.values).probability,
        fraud: row.fraud,
        day: row.day,
        who: row.who,
    };
    Ok(rows.iter().map(judged).collect())
}

fn check(rows: &[Row], inputs: &[String]) -> Result<(), TrainingProblem> {
    for (number, row) in rows.iter().enumerate() {
        if row.values.len() != inputs.len() {
            return Err(TrainingProblem::Values { row: number, found: row.values.len(), wanted: inputs.len() });
        }
        if row.values.iter().any(|value| value.is_infinite()) {
            return Err(TrainingProblem::Infinite(number));
        }
    }
    let frauds = rows.iter().filter(|row| row.fraud).count();
    if frauds == 0 || frauds == rows.len() { Err(TrainingProblem::OneKind) } else { Ok(()) }
}

fn booster(settings: &Settings) -> Result<GradientBooster, TrainingProblem> {
    let sample = if settings.row_share < 1.0 { SampleMethod::Random } else { SampleMethod::None };
    let booster = GradientBooster::new(
        ObjectiveType::LogLoss,
        settings.trees,
        settings.learning_rate,
        settings.depth,
        usize::MAX,
        0.0,
        settings.l2,
        0.0,
        0.0,
        settings.least_leaf_weight,
        0.5,
        256,
        true,
        true,
        None,
        settings.row_share,
        0.2,
        0.1,
        settings.input_share,
        settings.seed,
        f64::NAN,
        false,
        sample,
        GrowPolicy::DepthWise,
        None,
        None,
        true,
        std::collections::HashSet::new(),
        MissingNodeTreatment::AssignToParent,
        0,
        false,
    );
    booster.map_err(problem::library)
}

#[cfg(test)]
mod tests;
