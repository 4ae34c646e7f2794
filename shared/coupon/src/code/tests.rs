use proptest::prelude::*;

use super::*;

const KEY: [u8; 32] = *b"a fixed key for the golden codes";

fn key() -> CodeKey {
    CodeKey::new(&KEY)
}

/// What a text is read as, in its canonical form.
fn read(text: &str) -> Option<String> {
    parse_generated(text).map(|form| form.code().to_string())
}

/// Printed codes depend on these: a change here makes every code in the world invalid.
#[test]
fn golden_codes() {
    let table = [
        (0, "7X4S-FCFB-QJPD-TZWT"),
        (1, "NZDQ-KKPW-D4VM-A0V6"),
        (2, "NQXN-BGKG-3ZSF-P9WW"),
        (1_000_000, "9CD7-KHJJ-2Y84-BN7J"),
        (1_099_511_627_775, "G98W-02R3-60BE-RPH6"),
    ];
    for (number, text) in table {
        assert_eq!(key().encode(number).to_string(), text);
        assert_eq!(parse_generated(text).and_then(|form| key().verify(form)), Some(number));
    }
}

#[test]
fn numbers_and_codes_are_one_to_one() {
    let key = key();
    let mut codes = std::collections::HashSet::new();
    for number in (0..20_000).chain(NUMBERS - 20_000..NUMBERS).chain((0..20_000).map(|n| n * 54_975_581)) {
        let code = key.encode(number);
        let form = parse_generated(code.as_compact());
        assert_eq!(form.and_then(|form| key.verify(form)), Some(number));
        codes.insert(code);
    }
    assert_eq!(codes.len(), 59_999, "number 0 comes twice, no code does");
}

#[test]
fn a_code_is_read_as_people_write_it() {
    let code = "0123-4567-89AB-CD01";
    let written = [
        "0123-4567-89AB-CD01",
        "0123456789ABCDO1",
        "ol23-4567-89ab-cdoi",
        "OI23 4567 89AB CDOL",
        "\t0123 4567\u{a0}89ab\u{3000}cd01\r\n",
        "0123\u{2013}4567\u{2014}89ab\u{2212}cd01",
        "\u{feff}0123\u{200b}4567\u{ad}89ab\u{2060}cd01",
        "０１２３－４５６７－８９ＡＢ－ＣＤ０１",
        "０１２３４５６７８９ａｂｃｄｏｌ",
        "--0-1-2-3-4-5-6-7-8-9-a-b-c-d-0-1--",
    ];
    for text in written {
        assert_eq!(read(text).as_deref(), Some(code), "{text:?}");
    }
}

#[test]
fn what_is_no_code_is_not_read() {
    let long = "-".repeat(MAX_TEXT_BYTES) + "0123456789ABCD01";
    let table = [
        ("", "nothing"),
        ("0123456789ABCD0", "too short"),
        ("0123456789ABCD012", "too long"),
        ("0123456789ABCDU1", "U is no digit"),
        ("0123_4567_89AB_CD01", "an underscore is no hyphen"),
        ("0123456789ABCD0\0", "NUL"),
        ("0123456789ABCDÀ1", "another script's letter"),
        ("0123456789ABCD0\u{661}", "another script's digit"),
        (long.as_str(), "absurdly long"),
    ];
    for (text, why) in table {
        assert_eq!(read(text), None, "{why}");
    }
}

#[test]
fn another_key_refuses() {
    let form = parse_generated(key().encode(7).as_compact());
    assert_eq!(form.and_then(|form| CodeKey::new(&[1; 32]).verify(form)), None);
}

#[test]
fn secrets_do_not_show_in_debug() {
    let code = key().encode(7);
    assert_eq!(format!("{code:?} {:?}", parse_generated(code.as_compact())), "Code(..) Some(GeneratedForm(..))");
}

#[test]
fn a_million_guesses_pass_none() {
    const SEED: u64 = 0x5eed;
    let key = key();
    let mut state = SEED;
    let mut random = || {
        // SplitMix64 (Steele, Lea and Flood, 2014).
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    for guess in 0..1_000_000 {
        let bits = u128::from(random()) << 64 | u128::from(random());
        let text: [u8; LENGTH] = std::array::from_fn(|i| ALPHABET[(bits >> (5 * i) & 31) as usize]);
        let form = std::str::from_utf8(&text).ok().and_then(parse_generated);
        assert!(form.is_some_and(|form| key.verify(form).is_none()), "guess {guess} of seed {SEED:#x} passed");
    }
}

#[test]
fn own_codes_are_plain_words() {
    for text in ["a", "SPRING_2026-x", "0".repeat(64).as_str()] {
        assert!(is_importable(text), "{text}");
    }
    for text in ["", "a b", "券", "a.b", "a\n", "0".repeat(65).as_str()] {
        assert!(!is_importable(text), "{text}");
    }
}

proptest! {
    #[test]
    fn a_code_survives_its_text(number in 0..NUMBERS, secret: [u8; 32]) {
        let key = CodeKey::new(&secret);
        let code = key.encode(number);
        let form = parse_generated(&code.to_string());
        prop_assert_eq!(form.map(|form| form.code()), Some(code));
        prop_assert_eq!(form.and_then(|form| key.verify(form)), Some(number));
        prop_assert_eq!(key.encode(number + NUMBERS), code, "higher bits are not looked at");
    }

    #[test]
    fn one_wrong_character_is_refused(number in 0..NUMBERS, place in 0..LENGTH, by in 1..32_usize) {
        let mut text = key().encode(number).as_compact().to_owned().into_bytes();
        let digit = usize::from(DIGITS[usize::from(text[place])]);
        text[place] = ALPHABET[(digit + by) % 32];
        let form = String::from_utf8(text).ok().as_deref().and_then(parse_generated);
        prop_assert_eq!(form.map(|form| key().verify(form)), Some(None));
    }

    #[test]
    fn any_text_is_read_or_not_without_a_panic(text in "\\PC{0,40}") {
        let _ = parse_generated(&text);
        // Reading is idempotent: what was read once reads as itself.
        if let Some(code) = read(&text) {
            prop_assert_eq!(read(&code), Some(code));
        }
    }

    /// The fast path for ASCII and the long way agree.
    #[test]
    fn ascii_is_read_alike_on_both_ways(text in "[0-9A-Za-z -]{12,24}") {
        prop_assert_eq!(read(&text), read(&format!("{text}\u{a0}")));
    }
}
