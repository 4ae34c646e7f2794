//! What goes on: honest shoppers all the time, an episode of abuse now and then, and releases of the hot stock.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at};

use super::Traffic;
use super::abuse::Kind;
use super::crowd::Crowd;
use super::stage::Stage;

/// Visits of honest shoppers a second at the day's mean; each is about two requests.
const VISITS_PER_SECOND: f64 = 11.0;
/// Shoppers who are about at once.
const SHOPPERS: u64 = 3_000;
/// Between the beginnings of two episodes.
const EPISODE_EVERY: Duration = Duration::from_secs(24);
/// Between two releases of the hot stock, and when the first is.
const RELEASE_EVERY: Duration = Duration::from_secs(150);
const FIRST_RELEASE: Duration = Duration::from_secs(12);
/// Coupons of a release, and shoppers who want one.
const RELEASED: u64 = 50;
const WANTED: u32 = 60;
/// Visits under way; more than this only where the server does not answer.
const MOST_AT_ONCE: usize = 20_000;

/// Plays until it is dropped.
pub(super) async fn play(stage: Stage, traffic: Traffic) {
    let scale = match traffic {
        Traffic::Off => return,
        Traffic::Gentle => 1,
        Traffic::Busy => 4,
    };
    let mut show = Show {
        crowd: Crowd::new(SHOPPERS * scale, stage.run),
        stage: Arc::new(stage),
        under_way: JoinSet::new(),
        episodes: 0,
        releases: 0,
    };
    let mut visit = interval(Duration::from_secs_f64(1.0 / (VISITS_PER_SECOND * scale as f64 * MOST_OF_A_DAY)));
    visit.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut episode = interval(EPISODE_EVERY);
    let mut release = interval_at(Instant::now() + FIRST_RELEASE, RELEASE_EVERY);
    let mut told = interval_at(Instant::now() + Duration::from_mins(1), Duration::from_mins(1));
    loop {
        tokio::select! {
            _ = visit.tick() => show.visit(),
            _ = episode.tick() => show.episode(),
            _ = release.tick() => show.release(),
            _ = told.tick() => tracing::debug!(met = show.stage.tally(), "the demonstration's minute"),
            Some(_) = show.under_way.join_next() => {}
        }
    }
}

/// What is under way; all of it ends when this is dropped.
struct Show {
    stage: Arc<Stage>,
    crowd: Crowd,
    under_way: JoinSet<()>,
    episodes: u64,
    releases: u64,
}

impl Show {
    fn begin<F: Future<Output = ()> + Send + 'static>(&mut self, what: impl FnOnce(Arc<Stage>) -> F) {
        if self.under_way.len() < MOST_AT_ONCE {
            self.under_way.spawn(what(self.stage.clone()));
        }
    }

    fn visit(&mut self) {
        // The ticks are those of the busiest hour; at others some of them pass by.
        if !self.crowd.comes(busy(hour_of_day()) / MOST_OF_A_DAY) {
            return;
        }
        let visit = self.crowd.next();
        self.begin(|stage| async move { visit.run(&stage).await });
    }

    fn episode(&mut self) {
        let kinds = Kind::ALL.len() as u64;
        let (kind, round) = (Kind::ALL[(self.episodes % kinds) as usize], self.episodes / kinds);
        self.episodes += 1;
        self.begin(|stage| async move { kind.play(&stage, round).await });
    }

    /// More of the hot stock: shoppers come within some seconds, and a script at once.
    fn release(&mut self) {
        let number = self.releases;
        self.releases += 1;
        let visits: Vec<_> = (0..WANTED).map(|_| self.crowd.next().for_stock(Stage::hot())).collect();
        self.begin(|stage| async move {
            stage.restock(Stage::hot(), RELEASED).await;
            let mut rush = JoinSet::new();
            let at_once = stage.clone();
            rush.spawn(async move { Kind::ReleaseBot.play(&at_once, number).await });
            for visit in visits {
                tokio::time::sleep(Duration::from_millis(80)).await;
                let stage = stage.clone();
                rush.spawn(async move { visit.run(&stage).await });
            }
            while rush.join_next().await.is_some() {}
        });
    }
}

/// The busiest hour, where the mean is 1.
const MOST_OF_A_DAY: f64 = 1.15;

/// How busy an hour of the day in China is, where the mean is about 1: lunch and evening are full, and at night there is
/// still somebody to be seen.
fn busy(hour: u64) -> f64 {
    match hour {
        0..=6 => 0.85,
        7..=10 => 0.95,
        11..=13 | 18..=20 => MOST_OF_A_DAY,
        _ => 1.05,
    }
}

fn hour_of_day() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    (now / 3_600 + 8) % 24
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_its_hours() {
        let all: Vec<f64> = (0..24).map(busy).collect();
        let mean = all.iter().sum::<f64>() / 24.0;
        assert!((0.95..1.05).contains(&mean), "{mean}");
        assert!(all.iter().all(|busy| (0.5..=MOST_OF_A_DAY).contains(busy)));
    }
}
