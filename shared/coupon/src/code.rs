//! Codes: what a customer shows to redeem a coupon.
//!
//! A generated code is 80 bits as 16 characters of Crockford's base32 (<https://www.crockford.com/base32.html>):
//! 40 bits that encipher the merchant's running number, then 40 bits of MAC over them (encrypt-then-MAC: Bellare and
//! Namprempre, *Authenticated Encryption*, 2000), so that a guess is refused before anything is deciphered or looked
//! up. The cipher only keeps apart what a number would tell (how many coupons there are, which are neighbours); what
//! keeps coupons from being guessed is the MAC.
//!
//! # How likely a guess is
//! A code that nobody was given passes the MAC with probability 2^-40, under each key version that is tried. To hit
//! a coupon its number must also have been given out: with 2^30 (a billion) live codes that is 2^-10 more, 2^-50
//! per try in all. At 1,000 tries a second, far above what any caller's quota allows to pass unseen, the first hit
//! is expected after 2^50 / 1,000 s, about 36,000 years. Knowing codes does not help, since no code says anything
//! about another. RFC 2104 section 5 asks for MACs of at least 80 bits because a MAC can usually be tried offline;
//! this one can be tried only by asking the service, which counts the attempts (NIST SP 800-107 weighs it so).

use std::fmt;

use hmac::Mac;
use siphasher::sip::SipHasher24;
use subtle::ConstantTimeEq;
use unicode_normalization::UnicodeNormalization;

use crate::secret::{self, KeyedHash};

/// How many running numbers have a code: a merchant's numbers are below.
pub const NUMBERS: u64 = 1 << 40;

/// Crockford's digits: no I, L, O, which are read as digits, and no U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Marks a byte in `DIGITS` that is no digit.
const NO_DIGIT: u8 = 0xff;
/// What each byte of an upper-case text means as a digit.
const DIGITS: [u8; 256] = digits();

/// Beyond ASCII and white space: the Unicode property Dash, after it the invisible hyphen, space and joiners that
/// copying from a web page brings along.
const BETWEEN: &str = "\u{58a}\u{5be}\u{1400}\u{1806}\u{2010}\u{2011}\u{2012}\u{2013}\u{2014}\u{2015}\u{2053}\
    \u{207b}\u{208b}\u{2212}\u{2e17}\u{2e1a}\u{2e3a}\u{2e3b}\u{2e40}\u{2e5d}\u{301c}\u{3030}\u{30a0}\u{fe31}\u{fe32}\
    \u{fe58}\u{fe63}\u{ff0d}\u{10d6e}\u{10ead}\u{ad}\u{200b}\u{2060}\u{feff}";

/// Characters of a generated code.
const LENGTH: usize = 16;
/// The longest text that is tried as a generated code, in bytes: ample for 16 wide characters and what stands between.
const MAX_TEXT_BYTES: usize = 256;
/// The longest code of a merchant's own, in characters.
const MAX_IMPORTABLE: usize = 64;

/// Rounds of the cipher. Four make a strong pseudo-random permutation, but only up to about 2^10 messages with halves
/// of 20 bits; FF1 (NIST SP 800-38G), for domains as small as ours, takes ten.
const ROUNDS: u8 = 10;
const HALF_BITS: u32 = 20;
const HALF: u64 = (1 << HALF_BITS) - 1;

/// A merchant's code key of one version, prepared. It has no `Debug`: it is a secret.
#[derive(Clone)]
pub struct CodeKey {
    round: SipHasher24,
    mac: KeyedHash,
}

/// A generated code in its canonical form: 16 upper-case characters. `Display` puts a hyphen after every four.
/// Who has it can redeem it, so that `Debug` does not show it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Code([u8; LENGTH]);

/// What a well-formed generated code says. Nothing is known of it before `CodeKey::verify`.
#[derive(Clone, Copy)]
pub struct GeneratedForm {
    /// The enciphered number, 40 bits.
    enciphered: u64,
    /// What the code claims to be the MAC of it.
    mac: [u8; 5],
}

impl CodeKey {
    /// Prepares a key: one for the cipher and one for the MAC are derived from it.
    pub fn new(key: &[u8; 32]) -> Self {
        let round = secret::derive(key, "code cipher", &[]);
        let [low, high] = [0, 8].map(|at| (0..8).fold(0, |word, i| word | u64::from(round[at + i]) << (8 * i)));
        let mac = secret::keyed(&secret::derive(key, "code mac", &[]));
        Self { round: SipHasher24::new_with_keys(low, high), mac }
    }

    /// The code of a running number below `NUMBERS`; higher bits are not looked at.
    pub fn encode(&self, number: u64) -> Code {
        let enciphered = self.encipher(number % NUMBERS);
        GeneratedForm { enciphered, mac: self.mac_of(enciphered) }.code()
    }

    /// The running number, if the code was made with this key. Takes the same time wherever a wrong MAC differs.
    pub fn verify(&self, parsed: GeneratedForm) -> Option<u64> {
        let is_ours: bool = self.mac_of(parsed.enciphered).ct_eq(&parsed.mac).into();
        is_ours.then(|| self.decipher(parsed.enciphered))
    }

    fn mac_of(&self, enciphered: u64) -> [u8; 5] {
        let mut mac = self.mac.clone();
        mac.update(&enciphered.to_be_bytes()[3..]);
        secret::first_bytes(mac)
    }

    /// A keyed permutation of 40 bits: a balanced Feistel network, which is a pseudo-random permutation when its
    /// round function is pseudo-random (Luby and Rackoff, 1988; on small domains Black and Rogaway, *Ciphers with
    /// Arbitrary Finite Domains*, 2002). A permutation never gives two numbers one code, without any look-up.
    fn encipher(&self, number: u64) -> u64 {
        let (left, right) = (0..ROUNDS).fold(halves(number), |(left, right), i| (right, left ^ self.round(i, right)));
        left << HALF_BITS | right
    }

    fn decipher(&self, enciphered: u64) -> u64 {
        let (left, right) =
            (0..ROUNDS).rev().fold(halves(enciphered), |(left, right), i| (right ^ self.round(i, left), left));
        left << HALF_BITS | right
    }

    /// SipHash-2-4, a pseudo-random function made for short inputs (Aumasson and Bernstein, 2012): as strong as is
    /// needed here, and ten times as fast as a round of HMAC. The round's number makes each round another function.
    fn round(&self, round: u8, half: u64) -> u64 {
        let [.., a, b, c] = half.to_be_bytes();
        self.round.hash(&[round, a, b, c]) & HALF
    }
}

fn halves(number: u64) -> (u64, u64) {
    (number >> HALF_BITS & HALF, number & HALF)
}

impl Code {
    /// The 16 characters without hyphens.
    pub fn as_compact(&self) -> &str {
        // Always ASCII: both ways to make a code take its bytes from the alphabet.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A hyphen after every four, written in one piece.
        let mut text = [b'-'; LENGTH + 3];
        for (group, four) in self.0.chunks_exact(4).enumerate() {
            text[5 * group..5 * group + 4].copy_from_slice(four);
        }
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(..)")
    }
}

impl GeneratedForm {
    /// The canonical text of it.
    pub fn code(&self) -> Code {
        let mac = self.mac.iter().fold(0, |bits, &byte| bits << 8 | u128::from(byte));
        let bits = u128::from(self.enciphered) << 40 | mac;
        Code(std::array::from_fn(|i| ALPHABET[(bits >> (5 * (LENGTH - 1 - i)) & 31) as usize]))
    }

    fn from_bits(bits: u128) -> Self {
        let mac = std::array::from_fn(|i| (bits >> (8 * (4 - i))) as u8);
        Self { enciphered: (bits >> 40) as u64 % NUMBERS, mac }
    }
}

impl fmt::Debug for GeneratedForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GeneratedForm(..)")
    }
}

/// Reads what a customer typed, scanned or copied as a generated code: NFKC, without white space and dashes of any
/// script, upper case, O as 0, I and L as 1. `None` unless that leaves 16 digits.
pub fn parse_generated(text: &str) -> Option<GeneratedForm> {
    if text.len() > MAX_TEXT_BYTES {
        return None;
    }
    if text.is_ascii() {
        return read_digits(text.bytes().filter(|&byte| !is_between(char::from(byte))));
    }
    let upper = text.nfkc().filter(|&c| !is_between(c)).flat_map(char::to_uppercase);
    // What is not ASCII by now is no digit, and neither is NUL.
    read_digits(upper.map(|c| u8::try_from(c).unwrap_or(0)))
}

/// Whether a merchant's own code may be imported: 1..=64 of `0-9A-Za-z_-`. It is compared as it is, case included.
pub fn is_importable(text: &str) -> bool {
    (1..=MAX_IMPORTABLE).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

fn read_digits(mut bytes: impl Iterator<Item = u8>) -> Option<GeneratedForm> {
    let mut bits = 0_u128;
    for _ in 0..LENGTH {
        let digit = DIGITS[usize::from(bytes.next()?)];
        if digit == NO_DIGIT {
            return None;
        }
        bits = bits << 5 | u128::from(digit);
    }
    bytes.next().is_none().then(|| GeneratedForm::from_bits(bits))
}

/// Whether a character only stands between others: white space, a hyphen, or one of `BETWEEN`.
fn is_between(c: char) -> bool {
    c == '-' || c.is_whitespace() || !c.is_ascii() && BETWEEN.contains(c)
}

const fn digits() -> [u8; 256] {
    let mut table = [NO_DIGIT; 256];
    let mut digit = 0;
    while digit < ALPHABET.len() {
        let upper = ALPHABET[digit];
        table[upper as usize] = digit as u8;
        table[upper.to_ascii_lowercase() as usize] = digit as u8;
        digit += 1;
    }
    table[b'O' as usize] = 0;
    table[b'o' as usize] = 0;
    table[b'I' as usize] = 1;
    table[b'i' as usize] = 1;
    table[b'L' as usize] = 1;
    table[b'l' as usize] = 1;
    table
}

#[cfg(test)]
mod tests;
