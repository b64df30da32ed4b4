//! W3C trace context as peers send it, and therefore anything.

use std::fmt;

/// Which span of which trace something is a part of. Only sampled ones are made from text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TraceParent {
    /// The trace; never 0.
    pub trace: u128,
    /// The span that what follows is a child of; never 0.
    pub span: u64,
    /// Whether it is recorded.
    pub sampled: bool,
}

/// Bytes of version 00: `00-<32 hex>-<16 hex>-<2 hex>`.
const LENGTH: usize = 55;

/// The flag that says that the caller records its span.
const SAMPLED: u8 = 1;

impl TraceParent {
    /// Reads the text of a sampled span. Anything else is as good as none: a call is not refused for how it is traced.
    #[must_use]
    pub fn sampled(text: &[u8]) -> Option<Self> {
        // A later version may have more after the flags, and has these at the same places.
        let (text, rest) = text.split_at_checked(LENGTH)?;
        let version = u8::try_from(hex(&text[..2])?).ok()?;
        let is_known = version == 0 && rest.is_empty();
        let is_later = (1..255).contains(&version) && rest.first().is_none_or(|next| *next == b'-');
        if !(is_known || is_later) || [2, 35, 52].iter().any(|dash| text[*dash] != b'-') {
            return None;
        }
        let (trace, span) = (hex(&text[3..35])?, u64::try_from(hex(&text[36..52])?).ok()?);
        let flags = u8::try_from(hex(&text[53..])?).ok()?;
        (trace != 0 && span != 0 && flags & SAMPLED != 0).then_some(Self { trace, span, sampled: true })
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace, self.span, u8::from(self.sampled))
    }
}

/// At most 32 lower-case digits, as the standard has them.
fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(value))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_sampled_one_is_read_and_written_alike() {
        let read = TraceParent::sampled(GOOD.as_bytes()).unwrap();
        assert_eq!(read.trace, 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c);
        assert_eq!(read.span, 0xb7ad_6b71_6920_3331);
        assert_eq!(read.to_string(), GOOD);
    }

    #[test]
    fn other_flags_and_later_versions_are_read_too() {
        for good in [GOOD.replace("-01", "-03"), GOOD.replacen("00-", "cc-", 1), GOOD.replacen("00-", "01-", 1) + "-x"]
        {
            assert!(TraceParent::sampled(good.as_bytes()).is_some(), "{good}");
        }
    }

    #[test]
    fn whatever_else_is_none() {
        let bad = [
            String::new(),
            "00".into(),
            GOOD.replace("-01", "-00"),
            GOOD.replace("-01", "-0"),
            GOOD.replace("-01", "-0g"),
            GOOD.replace("-01", "-+1"),
            GOOD.replacen("00-", "ff-", 1),
            GOOD.replacen("00-", "01-", 1) + "x",
            GOOD.to_owned() + "-",
            GOOD.to_owned() + "\0",
            GOOD.to_uppercase(),
            GOOD.replace('-', "_"),
            GOOD.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            GOOD.replace("b7ad6b7169203331", &"0".repeat(16)),
            GOOD.replace("0af7", "é7"),
            "-".repeat(55),
            "0".repeat(1 << 20),
        ];
        for text in bad {
            assert_eq!(TraceParent::sampled(text.as_bytes()), None, "{text:.80}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _either = TraceParent::sampled(&bytes);
        }

        #[test]
        fn one_byte_changed_is_none_or_another(at in 0..LENGTH, byte: u8) {
            let mut text = GOOD.as_bytes().to_vec();
            text[at] = byte;
            if let Some(read) = TraceParent::sampled(&text) {
                prop_assert_eq!(read.to_string().len(), LENGTH);
            }
        }

        #[test]
        fn every_one_that_is_written_is_read(trace in 1..u128::MAX, span in 1..u64::MAX) {
            let written = TraceParent { trace, span, sampled: true };
            prop_assert_eq!(TraceParent::sampled(written.to_string().as_bytes()), Some(written));
        }
    }
}
