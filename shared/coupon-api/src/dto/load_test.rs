//! Load tests on file.

use coupon::id::{LoadTestId, StockId};
use coupon::state::LoadTestRow;
use http_api::time::format_ms;
use serde::Serialize;
use utoipa::ToSchema;

/// A load test.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LoadTestView {
    /// `ldt_...`
    pub id: String,
    /// Of which stock's promotion.
    pub stock_id: Option<String>,
    /// Whether everything held.
    pub passed: bool,
    /// The profile that was run.
    pub profile: String,
    /// What it came to, in a line.
    pub verdict: String,
    /// The highest rate asked for, requests per second.
    pub peak_per_second: u64,
    /// When it was stored.
    pub created_at: String,
    /// All of it.
    pub report_url: String,
}

/// A load test as it is answered.
pub fn load_test_view(id: LoadTestId, row: &LoadTestRow) -> LoadTestView {
    LoadTestView {
        id: id.to_string(),
        stock_id: row.stock.map(|stock| StockId::new(id.merchant, stock).to_string()),
        passed: row.passed,
        profile: row.profile.to_string(),
        verdict: row.verdict.to_string(),
        peak_per_second: row.peak_per_second,
        created_at: format_ms(row.created_at),
        report_url: format!("/v1/load-tests/{id}/report"),
    }
}
