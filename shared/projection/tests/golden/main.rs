//! Every record type and every event as it stands in logs: what was ever written must stay readable, and what is
//! written must stay the same. A difference is a change of the format, to be reviewed; it is no file to record anew.

mod samples;

use std::fs;
use std::path::PathBuf;

use coupon::event::{MerchantProfile, Quotas};
use coupon::id::Shard;
use coupon::record::Entry;
use coupon::state::Merchant;
use coupon::terms::{Millis, Zone};
use event_log::envelope::Realm;
use projection::codec::{self, Control, Decoded};

const SHARD: Shard = Shard(10);
const BYTES_PER_LINE: usize = 32;

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.hex"))
}

fn to_hex(bytes: &[u8]) -> String {
    let line = |line: &[u8]| line.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}")) + "\n";
    bytes.chunks(BYTES_PER_LINE).map(line).collect()
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
    digits.chunks(2).filter_map(byte).collect()
}

const CONTROLS: [(&str, Control); 3] = [
    ("copy_sealed", Control::CopySealed),
    ("hash_checkpoint", Control::HashCheckpoint(2_048, 0x1234_5678_9abc_def0_0fed_cba9_8765_4321)),
    ("semantics_activated", Control::SemanticsActivated(2)),
];

/// Compares with the file; makes it where it is missing and that is wished for.
fn check(name: &str, entry: &Entry, original_time_ms: Option<i64>) -> Result<(), String> {
    let path = file(name);
    let written = codec::encode(entry, SHARD, 1, Realm::Live, original_time_ms);
    if !path.exists() {
        if std::env::var_os("UPDATE_GOLDEN").is_none() {
            return Err(format!("{name}: the file is missing; a new record is added with UPDATE_GOLDEN=1"));
        }
        fs::write(&path, to_hex(&written)).map_err(|error| format!("{name}: {error}"))?;
    }
    let golden = from_hex(&fs::read_to_string(&path).map_err(|error| format!("{name}: {error}"))?);
    match codec::decode(&golden) {
        Ok((header, Decoded::Entry(read))) if *read == *entry && header.shard == SHARD.0 => {}
        other => return Err(format!("{name}: what was written once reads as {other:?}")),
    }
    if golden != written {
        return Err(format!(
            "{name}: the bytes differ. Logs hold the old ones. If no log with them was ever kept, delete the file \
             and make it anew with UPDATE_GOLDEN=1; otherwise give the new form a number of its own."
        ));
    }
    Ok(())
}

#[test]
fn every_record_is_written_and_read_as_ever() {
    let mut wrong = Vec::new();
    let samples = samples::all();
    for (name, entry) in &samples {
        wrong.extend(check(name, entry, None).err());
    }
    let (_, first) = &samples[0];
    wrong.extend(check("copied", first, Some(1_773_154_500_000)).err());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn control_records_are_written_and_read_as_ever() {
    for (name, control) in CONTROLS {
        let path = file(name);
        let written = codec::encode_control(control, SHARD, 1);
        if !path.exists() && std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&path, to_hex(&written)).expect("the file is written");
        }
        let golden = from_hex(&fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}")));
        assert_eq!(golden, written, "{name}: logs hold the old bytes");
        let read = codec::decode(&golden);
        assert!(matches!(read, Ok((_, Decoded::Control(read))) if read == control), "{name}: reads as {read:?}");
    }
}

/// Rows on disk, and their hashes, are older than penalties: where the standing is now stood `suspended: false`.
#[test]
fn a_merchant_that_was_never_penalised_is_stored_as_ever() {
    #[derive(serde::Serialize)]
    struct Before(MerchantProfile, Quotas, Millis, bool);
    let profile = MerchantProfile { name: "茶铺".to_owned(), zone: Zone(chrono_tz::Asia::Shanghai), livemode: true };
    let before = Before(profile.clone(), Quotas::default(), 7, false);
    let now = Merchant { profile, quotas: Quotas::default(), created_at: 7, standing: None };
    let before = bincode::serde::encode_to_vec(&before, codec::FORMAT).expect("encodes");
    assert_eq!(bincode::serde::encode_to_vec(&now, codec::FORMAT).expect("encodes"), before);
}

#[test]
fn every_event_has_a_sample_of_its_own() {
    let mut names: Vec<&str> = samples::events().iter().map(samples::name).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all, "two samples of one event");
    assert_eq!(all, samples::EVENTS, "an event without a sample");
}

#[test]
fn no_file_is_left_without_a_record() {
    let mut known: Vec<String> = samples::all().into_iter().map(|(name, _)| format!("{name}.hex")).collect();
    known.push("copied.hex".to_owned());
    known.extend(CONTROLS.map(|(name, _)| format!("{name}.hex")));
    let folder = fs::read_dir(file("x").parent().expect("a folder")).expect("the golden files");
    for found in folder {
        let found = found.expect("a file").file_name().to_string_lossy().into_owned();
        let orphan = std::path::Path::new(&found).extension().is_some_and(|extension| extension == "hex")
            && !known.contains(&found);
        assert!(!orphan, "{found}: a record that was written once must stay readable");
    }
}
