//! How good the learned score is, on data that was published.
//!
//! Architecture invariant: a row's own future is never looked at. Every event is asked about before it is counted, and labels
//! are told when their delay is over, by the code that a service runs. `hindsight` alone knows more, to say how far a model could
//! come, and no model's figure is of it.

pub mod ecommerce;
pub mod failure;
pub mod handbook;
pub mod hindsight;
pub mod page;
pub mod replay;
pub mod table;

/// A file of the published data, if it is there: beside the project, or in the folder that `COUNTERFOIL_DATA` names.
#[cfg(test)]
fn data(file: &str) -> Option<std::path::PathBuf> {
    let beside = || std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("COUNTERFOIL_DATA").map_or_else(beside, Into::into);
    Some(folder.join(file)).filter(|path| path.exists())
}
