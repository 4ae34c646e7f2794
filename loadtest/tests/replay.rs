//! The replay against a real server process, with the server killed in its middle, and with the tool killed in its
//! middle. Needs the `counterfoil` binary: where it has not been built, the tests say so and do nothing;
//! `COUNTERFOIL_BINARY` names one elsewhere.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use loadtest::replay::{self, Merchants, Options, Report, ServerChoice};

/// Rows of the generated file: claims, unknown distances, rows that say the same, nulls, and rows that are malformed.
const ROWS: u64 = 400;

fn server_binary() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("COUNTERFOIL_BINARY") {
        return Some(PathBuf::from(named));
    }
    // Tests lie in `deps`, below the folder of the binaries.
    let tests = std::env::current_exe().ok()?;
    let binary = tests.parent()?.parent()?.join("counterfoil");
    if binary.is_file() {
        return Some(binary);
    }
    eprintln!("skipped: counterfoil is not built; build the package standalone first");
    None
}

/// Every tenth row is none that can be sent; the others are claims of 7 merchants' 14 coupons on 5 days.
fn rows() -> String {
    let mut text = "\u{FEFF}User_id,Merchant_id,Coupon_id,Discount_rate,Distance,Date_received\n".to_owned();
    for row in 1..=ROWS {
        let (merchant, day) = (row % 7, 20_160_701 + row % 5);
        let coupon = merchant * 10 + row % 2;
        let rule = ["30:5", "0.95", "200:20", "0:5"][(coupon % 4) as usize];
        let distance = if row % 4 == 0 { "null".to_owned() } else { (row % 11).to_string() };
        let line = match row % 40 {
            10 => format!("null,{merchant},{coupon},{rule},{distance},{day}"),
            20 => format!("{row},{merchant},{coupon},null,{distance},{day}"),
            30 => format!("{row},{merchant},{coupon},1.2,{distance},{day}"),
            0 => format!("{row},{merchant},{coupon}"),
            _ => format!("{},{merchant},{coupon},{rule},{distance},{day}", row % 90),
        };
        writeln!(text, "{line}").expect("a string takes everything");
    }
    text
}

fn data(folder: &Path) -> PathBuf {
    let path = folder.join("claims.csv.gz");
    let file = std::fs::File::create(&path).expect("creates");
    let mut zip = flate2::write::GzEncoder::new(file, flate2::Compression::default());
    zip.write_all(rows().as_bytes()).expect("zips");
    zip.finish().expect("zips");
    path
}

fn options(folder: &Path, binary: &Path, server: &str) -> Options {
    let choice = ServerChoice::Own { binary: Some(binary.to_owned()), data_dir: Some(folder.join(server)) };
    Options { silent: true, concurrency: 16, ..Options::new(data(folder), choice) }
}

fn assert_sound(report: &Report) {
    assert!(report.holds(), "{}", report.table());
    let counts = &report.counts;
    assert_eq!((counts.rows, counts.claims_sent, counts.claims_created), (ROWS, ROWS * 9 / 10, ROWS * 9 / 10));
    let excluded = |reason: &str| counts.excluded.get(reason).copied();
    assert_eq!((excluded("null User_id"), excluded("null Discount_rate")), (Some(10), Some(10)));
    assert_eq!((excluded("malformed Discount_rate"), excluded("null Coupon_id")), (Some(10), Some(0)));
    assert_eq!(excluded("malformed: wrong number of fields"), Some(10));
    let of = &counts.redemptions;
    assert!(of.coupons > 100, "{of:?}");
    assert_eq!((of.won, of.attempted, of.repeated_equal), (of.coupons, of.coupons * 2, of.coupons));
    assert_eq!(of.refused.get("already_redeemed"), Some(&of.coupons));
    assert_eq!((counts.conservation.redeemed, counts.conservation.available), (of.won, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_a_second_run_and_one_merchant_come_to_the_same_counts() {
    let Some(binary) = server_binary() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let calm = replay::run(options(folder.path(), &binary, "calm")).await.expect("ends");
    assert_sound(&calm);
    assert_eq!((calm.claims_found, calm.kills), (0, 0));

    let kills = Options { kill_after: vec![90, 230], ..options(folder.path(), &binary, "killed") };
    let killed = replay::run(kills.clone()).await.expect("ends");
    assert_sound(&killed);
    assert_eq!((killed.kills, &killed.counts), (2, &calm.counts));

    let state = Some(folder.path().join("state"));
    for _ in 0..2 {
        let again = Options { state: state.clone(), kill_after: Vec::new(), ..kills.clone() };
        let again = replay::run(again).await.expect("ends");
        assert_sound(&again);
        assert_eq!((again.claims_found, &again.counts), (calm.counts.claims_created, &calm.counts));
    }

    let one = Options { merchants: Merchants::One, ..options(folder.path(), &binary, "one") };
    assert_eq!(replay::run(one).await.expect("ends").counts, calm.counts);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_tool_begins_again_and_comes_to_the_same_counts() {
    let Some(binary) = server_binary() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let calm = replay::run(options(folder.path(), &binary, "calm")).await.expect("ends");
    let options = options(folder.path(), &binary, "left");
    // The tool as a process of its own: SIGKILL leaves it no time to stop its server, which goes on.
    let arguments = |data_dir: &Path| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_loadtest"));
        command.arg("replay").arg("--data").arg(&options.data).args(["--concurrency", "2"]);
        command.arg("--server-binary").arg(&binary).arg("--data-dir").arg(data_dir);
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        command
    };
    let left = folder.path().join("left");
    let mut tool = arguments(&left).spawn().expect("starts");
    let log = left.join("log.sqlite-wal");
    // Half-way: some claims are in the log, which grows by what the merchants and stocks take first.
    for _ in 0..3_000 {
        if std::fs::metadata(&log).is_ok_and(|found| found.len() > 400_000) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    tool.kill().expect("kills");
    tool.wait().expect("ends");
    let again = replay::run(options).await.expect("ends");
    assert_sound(&again);
    assert_eq!(again.counts, calm.counts);
    eprintln!("the killed tool had {} of {} claims", again.claims_found, again.counts.claims_created);
}
