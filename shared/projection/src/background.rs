//! Threads that write behind give way to those that answer.

use std::thread::JoinHandle;

/// Starts a thread that gets the processor when others leave it (Linux: the idle class, which any other thread takes the
/// processor from at once; with a low priority alone, each answer would first wait for the end of a time slice). It must
/// not hold a lock that an answer needs.
pub fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        give_way();
        work();
    })
}

#[cfg(target_os = "linux")]
fn give_way() {
    use thread_priority::{
        NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
        thread_native_id,
    };
    let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    if let Err(error) = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle) {
        tracing::debug!(?error, "a thread that writes behind keeps its priority");
    }
}

#[cfg(not(target_os = "linux"))]
fn give_way() {}
