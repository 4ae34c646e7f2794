//! A timer that wakes within microseconds: the event loop's own counts whole milliseconds, which would be a good part
//! of what is measured.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::unix::AsyncFd;

/// A timer of this event loop.
pub(super) struct Timer(AsyncFd<OwnedFd>);

impl Timer {
    pub(super) fn new() -> io::Result<Self> {
        let file = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        #[expect(deprecated, reason = "its successor is unsafe, and an owned file cannot be closed under it")]
        let ready = AsyncFd::new(file)?;
        Ok(Self(ready))
    }

    /// Waits so long.
    pub(super) async fn sleep(&self, time: Duration) -> io::Result<()> {
        // A timer set to nothing would be off.
        let time = time.max(Duration::from_nanos(1));
        let value = Timespec { tv_sec: time.as_secs() as i64, tv_nsec: i64::from(time.subsec_nanos()) };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
        timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::empty(), &once)?;
        loop {
            let mut ready = self.0.readable().await?;
            let mut count = [0_u8; 8];
            match ready.try_io(|file| Ok(rustix::io::read(file.get_ref(), &mut count)?)) {
                Ok(read) => return read.map(drop),
                Err(_not_yet) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_never_wakes_early_and_can_be_set_again() {
        let timer = Timer::new().expect("a timer");
        for micros in [0, 200, 1_500] {
            let (begun, time) = (std::time::Instant::now(), Duration::from_micros(micros));
            timer.sleep(time).await.expect("slept");
            assert!(begun.elapsed() >= time);
        }
    }
}
