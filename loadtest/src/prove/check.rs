//! Looks at decisions again: all of them in a back-test, some by themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::report::Counted;
use super::{EVERY_FEATURE, Options, Stage, id, post};
use crate::caller::{Call, Kind};
use crate::parallel::in_parallel;
use crate::progress::Progress;
use crate::{Failure, Result};

/// How often an operation is asked how far it is.
const ASKED_EVERY: Duration = Duration::from_millis(500);

/// A back-test over the whole past: each decision is met at its cut, and its features are counted again.
pub(super) async fn count_again(stage: &Stage, silent: bool) -> Result<Counted> {
    let body = json!({"text": EVERY_FEATURE, "from": "2020-01-01T00:00:00Z", "until": "2099-01-01T00:00:00Z"});
    let key = format!("prove-backtest-{:08x}", rand::random::<u32>());
    let started = post(&stage.caller, &stage.platform, "/v1/risk/backtests", &key, body).await?;
    let path = format!("/v1/risk/backtests/{}", id(&started)?);
    let progress = Progress::new("counted again", 1, silent);
    let result = loop {
        let call =
            Call { kind: Kind::Read, credentials: &stage.platform, method: "GET", path: &path, key: None, body: None };
        let now = stage.caller.expect(&call).await?;
        match now["state"].as_str() {
            Some("running") => tokio::time::sleep(ASKED_EVERY).await,
            Some("done") => break now["result"].clone(),
            _ => return Err(Failure::Server(format!("the back-test ended: {now}"))),
        }
    };
    progress.advance();
    progress.finish();
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let differ = &result["features_differ"];
    let examples = differ["examples"].as_array().into_iter().flatten();
    Ok(Counted {
        compared: number(&result["features_compared"]),
        differ: number(&differ["count"]),
        examples: examples.filter_map(Value::as_str).take(3).map(str::to_owned).collect(),
    })
}

/// Derives decisions again, each by itself.
pub(super) async fn derive(stage: &Stage, ids: Vec<String>, options: &Options) -> Result<Counted> {
    let (many, ids) = (ids.len(), Arc::new(ids));
    let progress = Arc::new(Progress::new("derived again", many as u64, options.silent));
    let (differ, examples) = (Arc::new(AtomicU64::new(0)), Arc::new(std::sync::Mutex::new(Vec::new())));
    let (caller, platform) = (stage.caller.clone(), Arc::new(stage.platform.clone()));
    let (count, named, shown) = (differ.clone(), examples.clone(), progress.clone());
    let work = move |n: usize| {
        let (caller, platform, ids) = (caller.clone(), platform.clone(), ids.clone());
        let (differ, examples, progress) = (count.clone(), named.clone(), shown.clone());
        async move {
            let path = format!("/v1/risk/decisions/{}/derive", ids[n]);
            let derived = post(&caller, &platform, &path, &format!("derive-{n}"), json!({})).await?;
            if derived["equal"] != true {
                differ.fetch_add(1, Ordering::Relaxed);
                let mut examples = examples.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                examples.push(format!("{}: {}", ids[n], derived["differences"]));
            }
            progress.advance();
            Ok(())
        }
    };
    in_parallel(many, options.concurrency, work).await?;
    progress.finish();
    let examples = examples.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    Ok(Counted {
        compared: many as u64,
        differ: differ.load(Ordering::Relaxed),
        examples: examples.iter().take(3).cloned().collect(),
    })
}
