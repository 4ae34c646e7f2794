//! Those who claim in bulk.

use super::super::analysts::{BLOCKED_DEVICES, WATCHED_DOMAIN};
use super::super::stage::{Came, Person, Stage};
use super::{Kind, Patience, abuser, address, pause, place, stocks};

/// One phone with many accounts; every other episode over several stocks, so that it runs into other rules.
pub(super) async fn device_farm(stage: &Stage, number: u64) {
    let ip = address(stage, (Kind::DeviceFarm, number), number);
    let phone = abuser(stage, &format!("farm{number}"), 0, &ip).device;
    let at = place(number);
    let stocks = if number.is_multiple_of(2) { stocks(at.shop) } else { vec![at] };
    let mut patience = Patience::of(4);
    for n in 0..20 {
        let person = Person { device: phone.clone(), ..abuser(stage, &format!("farm{number}"), n, &ip) };
        let came = stage.claim("device_farm", &person, stocks[n as usize % stocks.len()]).await;
        if !patience.goes_on(&came, Came::is_stopped) {
            return;
        }
        pause(600, number * 100 + n).await;
    }
}

/// Fifty phones of one network; each account claims once, and no phone has more than a family's.
pub(super) async fn net_farm(stage: &Stage, number: u64) {
    let at = place(number / 2);
    let mut patience = Patience::of(12);
    for n in 0..150 {
        let (account, host) =
            (abuser(stage, &format!("net{number}"), n, &address(stage, (Kind::NetFarm, number), n % 50)), n % 50);
        let person = Person { device: abuser(stage, &format!("net{number}"), host, "").device, ..account };
        let came = stage.claim("net_farm", &person, at).await;
        if !patience.goes_on(&came, Came::is_stopped) {
            return;
        }
        pause(400, number * 1_000 + n).await;
    }
}

/// Who is known already: rooted phones are refused, throw-away mail addresses looked at.
pub(super) async fn listed(stage: &Stage, number: u64) {
    let (at, ip) = (place(number), address(stage, (Kind::Listed, number), 9));
    for n in 0..3 {
        let name = stage.fresh("account");
        let rooted = Person { user: name.clone(), device: format!("{BLOCKED_DEVICES}{number}-{n}"), ip: ip.clone() };
        stage.claim("listed", &rooted, at).await;
        pause(2_000, number * 10 + n).await;
    }
    let name = stage.fresh("guest");
    let mail = Person { user: format!("{name}@{WATCHED_DOMAIN}"), device: format!("{name}-phone"), ip };
    stage.claim("listed", &mail, at).await;
}

/// A script that waits for the release of a hot stock: many accounts on one phone, within a second or two.
pub(super) async fn release_bot(stage: &Stage, number: u64) {
    let at = Stage::hot();
    let ip = address(stage, (Kind::ReleaseBot, number), 4);
    let phone = abuser(stage, &format!("bot{number}"), 0, &ip).device;
    for n in 0..12 {
        let person = Person { device: phone.clone(), ..abuser(stage, &format!("bot{number}"), n, &ip) };
        stage.claim("release_bot", &person, at).await;
        tokio::time::sleep(std::time::Duration::from_millis(150)).await;
    }
}
