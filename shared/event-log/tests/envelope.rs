//! The envelope: golden file, damage, and that no change of a byte goes unseen.

use std::fmt::Write as _;

use event_log::envelope::{Damage, HEADER_BYTES, Header, MAX_PAYLOAD, Opened, Realm, open, seal};
use proptest::prelude::*;

const GOLDEN: &str = include_str!("golden/envelope-v1.txt");

const HEADER: Header = Header { realm: Realm::Live, record_type: 1, semantics: 1, shard: 1, original_time_ms: None };

fn sealed(header: &Header, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    seal(&mut out, header, |buffer| buffer.extend_from_slice(payload));
    out
}

fn hex(bytes: &[u8]) -> String {
    let mut out = String::new();
    for byte in bytes {
        write!(out, "{byte:02x}").expect("a string takes all");
    }
    out
}

fn golden_cases() -> Vec<(&'static str, Header, Vec<u8>)> {
    let header = |realm, record_type, semantics, shard, original_time_ms| Header {
        realm,
        record_type,
        semantics,
        shard,
        original_time_ms,
    };
    let live = |shard, time| header(Realm::Live, 1, 1, shard, Some(time));
    let redemption = header(Realm::Live, 0x0102, 3, 7, None);
    let copied = header(Realm::Rehearsal, 0xffff, 0xffff, 255, Some(1_767_225_600_123));
    vec![
        ("live-empty", header(Realm::Live, 0, 0, 0, None), vec![]),
        ("live-redemption", redemption, b"hello, counterfoil".to_vec()),
        ("rehearsal-copied", copied, (0..32).collect()),
        ("live-copied-at-zero", live(1, 0), vec![0]),
        ("live-copied-before-1970", live(1, -1), vec![0xff]),
    ]
}

#[test]
fn golden_file() {
    let written: Vec<_> = GOLDEN.lines().filter(|line| !line.starts_with('#')).collect();
    let cases = golden_cases();
    assert_eq!(written.len(), cases.len());
    for (line, (name, header, payload)) in written.into_iter().zip(cases) {
        let bytes = sealed(&header, &payload);
        assert_eq!(line, format!("{name} {}", hex(&bytes)));
        let payload = &payload[..];
        assert_eq!(open(&bytes), Ok(Opened { header, payload }));
    }
}

#[test]
fn seals_behind_what_is_there() {
    let mut out = b"before".to_vec();
    seal(&mut out, &HEADER, |buffer| buffer.push(9));
    let (before, record) = out.split_at(6);
    assert_eq!(before, b"before");
    assert_eq!(open(record).map(|opened| opened.payload), Ok(&[9][..]));
}

#[test]
fn each_damage_has_its_name() {
    let sound = sealed(&HEADER, b"payload");
    let changed = |at: usize, value: u8| {
        let mut bytes = sound.clone();
        bytes[at] = value;
        open(&bytes).err()
    };
    assert_eq!(open(&sound[..HEADER_BYTES - 1]), Err(Damage::Truncated));
    assert_eq!(open(&[]), Err(Damage::Truncated));
    assert_eq!(changed(0, b'X'), Some(Damage::Magic));
    assert_eq!(changed(2, 2), Some(Damage::Version(2)));
    assert_eq!(open(&sound[..sound.len() - 1]), Err(Damage::Length));
    assert_eq!(changed(18, 200), Some(Damage::Length));
    assert_eq!(changed(HEADER_BYTES, 0), Some(Damage::Checksum));
    assert_eq!(changed(4, 77), Some(Damage::Checksum));
}

#[test]
fn a_sound_checksum_does_not_excuse_the_rest() {
    let resealed = |at: usize, value: u8| {
        let mut bytes = sealed(&HEADER, b"payload");
        bytes[at] = value;
        let head = crc32c::crc32c(&bytes[..22]);
        let sum = crc32c::crc32c_append(head, &bytes[HEADER_BYTES..]);
        bytes[22..26].copy_from_slice(&sum.to_le_bytes());
        open(&bytes).err()
    };
    assert_eq!(resealed(3, 2), Some(Damage::Realm(2)));
    assert_eq!(resealed(9, 2), Some(Damage::Flags(2)));
    assert_eq!(resealed(10, 1), Some(Damage::OriginalTime));
}

#[test]
fn the_largest_payload_is_taken() {
    let bytes = sealed(&HEADER, &vec![7; MAX_PAYLOAD]);
    assert_eq!(open(&bytes).map(|opened| opened.payload.len()), Ok(MAX_PAYLOAD));
}

#[test]
#[should_panic(expected = "above the limit")]
fn a_larger_payload_never_comes_to_be() {
    sealed(&HEADER, &vec![7; MAX_PAYLOAD + 1]);
}

fn any_header() -> impl Strategy<Value = Header> {
    let realm = prop_oneof![Just(Realm::Live), Just(Realm::Rehearsal)];
    let fields = (realm, any::<u16>(), any::<u16>(), any::<u8>(), any::<Option<i64>>());
    fields.prop_map(|(realm, record_type, semantics, shard, original_time_ms)| Header {
        realm,
        record_type,
        semantics,
        shard,
        original_time_ms,
    })
}

proptest! {
    #[test]
    fn what_was_sealed_is_opened(
        header in any_header(),
        payload in proptest::collection::vec(any::<u8>(), 0..600),
    ) {
        let bytes = sealed(&header, &payload);
        prop_assert_eq!(bytes.len(), HEADER_BYTES + payload.len());
        prop_assert_eq!(open(&bytes), Ok(Opened { header, payload: &payload }));
    }

    #[test]
    fn no_changed_byte_goes_unseen(
        header in any_header(),
        payload in proptest::collection::vec(any::<u8>(), 0..600),
        at in any::<proptest::sample::Index>(),
        change in 1_u8..,
    ) {
        let mut bytes = sealed(&header, &payload);
        let at = at.index(bytes.len());
        bytes[at] ^= change;
        prop_assert!(open(&bytes).is_err());
    }

    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(opened) = open(&bytes) {
            prop_assert_eq!(sealed(&opened.header, opened.payload), bytes);
        }
    }
}
