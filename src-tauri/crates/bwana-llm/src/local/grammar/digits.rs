//! Ranges of whole numbers as patterns of digits: 7 to 123 becomes `[7-9]`, `[1-9] [0-9]`, `1 [0-1] [0-9]`, ...
//! Source of the method: the usual split by number of digits, then by the first digit that differs.

use super::shape::Range;
use super::{FRACTION_MAX_DIGITS, INTEGER_MAX_DIGITS};

/// The largest whole number a grammar writes.
pub(super) const INTEGER_MAX: i64 = 10_i64.pow(INTEGER_MAX_DIGITS) - 1;

/// The alternatives of an integer between `min` and `max`, both included.
pub(super) fn integer(min: i64, max: i64) -> String {
    let mut alternatives = Vec::new();
    if min < 0 {
        let nearest = if max < 0 { -max } else { 1 };
        for digits in whole(nearest, -min) {
            alternatives.push(format!("\"-\" {digits}"));
        }
    }
    if max >= 0 {
        alternatives.extend(whole(min.max(0), max));
    }
    alternatives.join(" | ")
}

/// The alternatives of a number within `range`, with a fraction of at most [`FRACTION_MAX_DIGITS`] digits.
pub(super) fn number(range: Range) -> String {
    let min = range.min.unwrap_or(-INTEGER_MAX);
    let max = range.max.unwrap_or(INTEGER_MAX);
    let mut alternatives = Vec::new();
    if min < 0 {
        // Mirrored: from just below zero, or from the upper bound, down to the lower bound.
        let (near, near_excluded) = if max < 0 {
            (-max, range.max_excluded)
        } else {
            (0, true)
        };
        for positive in not_negative(near, near_excluded, -min, range.min_excluded) {
            alternatives.push(format!("\"-\" {positive}"));
        }
    }
    if max >= 0 {
        let (near, near_excluded) = if min < 0 {
            (0, false)
        } else {
            (min, range.min_excluded)
        };
        alternatives.extend(not_negative(near, near_excluded, max, range.max_excluded));
    }
    alternatives.join(" | ")
}

/// Whether any number is within `range`.
pub(super) fn has_room(range: Range) -> bool {
    let min = range.min.unwrap_or(-INTEGER_MAX);
    let max = range.max.unwrap_or(INTEGER_MAX);
    min < max || (min == max && !range.min_excluded && !range.max_excluded)
}

fn not_negative(min: i64, min_excluded: bool, max: i64, max_excluded: bool) -> Vec<String> {
    let any = format!("(\".\" [0-9]{{1,{FRACTION_MAX_DIGITS}}})");
    let mut alternatives = Vec::new();
    // Numbers whose whole part is below the upper bound may have any fraction.
    if min_excluded && min < max {
        let zeros = FRACTION_MAX_DIGITS - 1;
        alternatives.push(format!(
            "\"{min}\" \".\" \"0\"{{0,{zeros}}} [1-9] [0-9]{{0,{zeros}}}"
        ));
    }
    let first_whole = min + i64::from(min_excluded);
    if first_whole < max {
        for digits in whole(first_whole, max - 1) {
            alternatives.push(format!("{digits} {any}?"));
        }
    }
    if first_whole <= max && !max_excluded {
        alternatives.push(format!("\"{max}\""));
    }
    alternatives
}

/// Patterns of the whole numbers from `min` to `max`, neither negative; none if the range is empty.
fn whole(min: i64, max: i64) -> Vec<String> {
    let mut patterns = Vec::new();
    // Runs of lengths whose numbers are all in range become one pattern.
    let mut full: Option<(u32, u32)> = None;
    for length in 1..=INTEGER_MAX_DIGITS {
        let lowest = if length == 1 {
            0
        } else {
            10_i64.pow(length - 1)
        };
        let highest = 10_i64.pow(length) - 1;
        let (from, to) = (min.max(lowest), max.min(highest));
        if from > to {
            continue;
        }
        if from == lowest && to == highest && length > 1 {
            full = Some(full.map_or((length, length), |(first, _)| (first, length)));
            continue;
        }
        patterns.push(same_length(&digits_of(from), &digits_of(to)));
    }
    if let Some((first, last)) = full {
        patterns.push(format!("[1-9] [0-9]{{{},{}}}", first - 1, last - 1));
    }
    patterns
}

/// The pattern of numbers between two of the same length; leading zeros count as digits.
fn same_length(from: &[u8], to: &[u8]) -> String {
    let (Some(first), Some(last)) = (from.first(), to.first()) else {
        return String::new();
    };
    let tail = from.len() - 1;
    if first == last {
        return join(&format!("\"{first}\""), &same_length(&from[1..], &to[1..]));
    }
    let mut alternatives = Vec::new();
    let (mut low, mut high) = (*first, *last);
    if from[1..].iter().any(|digit| *digit != 0) {
        let rest = same_length(&from[1..], &vec![9; tail]);
        alternatives.push(join(&format!("\"{first}\""), &rest));
        low += 1;
    }
    let mut at_top = None;
    if to[1..].iter().any(|digit| *digit != 9) {
        let rest = same_length(&vec![0; tail], &to[1..]);
        at_top = Some(join(&format!("\"{last}\""), &rest));
        high -= 1;
    }
    if low <= high {
        let rest = match tail {
            0 => String::new(),
            n => format!("[0-9]{{{n}}}"),
        };
        alternatives.push(join(&format!("[{low}-{high}]"), &rest));
    }
    alternatives.extend(at_top);
    if alternatives.len() == 1 {
        alternatives.remove(0)
    } else {
        format!("({})", alternatives.join(" | "))
    }
}

fn join(first: &str, rest: &str) -> String {
    if rest.is_empty() {
        first.to_owned()
    } else {
        format!("{first} {rest}")
    }
}

fn digits_of(number: i64) -> Vec<u8> {
    number.to_string().bytes().map(|byte| byte - b'0').collect()
}

#[cfg(test)]
mod tests {
    use super::super::matcher::Matcher;
    use super::*;

    fn matcher(alternatives: &str) -> Matcher {
        Matcher::new(&format!("root ::= {alternatives}\n"))
    }

    #[test]
    fn an_integer_range_holds_exactly_its_numbers() {
        let check = |min: i64, max: i64| {
            let matcher = matcher(&integer(min, max));
            for n in -1_300..=1_300_i64 {
                assert_eq!(
                    matcher.accepts(&n.to_string()),
                    (min..=max).contains(&n),
                    "{n} in {min}..={max}"
                );
            }
            for text in ["-0", "00", "01", "+1", "", "1.0"] {
                assert!(!matcher.accepts(text), "{text} in {min}..={max}");
            }
        };
        for (min, max) in [
            (0, 0),
            (1, 1),
            (-1, 1),
            (0, 9),
            (0, 10),
            (7, 123),
            (99, 101),
            (100, 999),
            (5, 1_005),
            (-17, -3),
            (-999, 999),
            (-1_000, -100),
            (250, 1_000),
            (-5, 0),
        ] {
            check(min, max);
        }
    }

    #[test]
    fn the_widest_range_reaches_fifteen_digits_and_no_further() {
        let matcher = matcher(&integer(-INTEGER_MAX, INTEGER_MAX));
        for text in ["0", "7", "-7", "123456789012345", "-999999999999999"] {
            assert!(matcher.accepts(text), "{text}");
        }
        assert!(!matcher.accepts("1234567890123456"));
    }

    #[test]
    fn a_number_range_keeps_fractions_inside_its_bounds() {
        let check = |range: Range, inside: &[&str], outside: &[&str]| {
            let matcher = matcher(&number(range));
            for text in inside {
                assert!(matcher.accepts(text), "{text} in {range:?}");
            }
            for text in outside {
                assert!(!matcher.accepts(text), "{text} in {range:?}");
            }
        };
        let range = |min, min_excluded, max, max_excluded| Range {
            min,
            min_excluded,
            max,
            max_excluded,
        };
        check(
            Range::default(),
            &["0", "-0.5", "12.50", "123456789012345", "-3"],
            &["1.", ".5", "1e5", "01", "1.1234567"],
        );
        check(
            range(Some(0), false, None, false),
            &["0", "0.0", "0.25", "10"],
            &["-1", "-0.5"],
        );
        check(
            range(Some(0), true, None, false),
            &["0.01", "0.50", "1", "1.0"],
            &["0", "0.0", "0.00", "-1"],
        );
        check(
            range(Some(0), false, Some(1), false),
            &["0", "1", "0.999"],
            &["1.0", "1.1", "2"],
        );
        check(
            range(Some(-1), true, Some(1), true),
            &["0", "-0.5", "0.5", "-0.999999"],
            &["1", "-1", "-1.0", "-0.0"],
        );
        check(
            range(Some(-3), false, Some(-2), false),
            &["-3", "-2", "-2.5"],
            &["-1.9", "-3.1", "2"],
        );
        check(range(Some(5), false, Some(5), false), &["5"], &["5.1", "4"]);
    }

    #[test]
    fn an_empty_range_is_known() {
        let range = |min, min_excluded, max| Range {
            min: Some(min),
            min_excluded,
            max: Some(max),
            max_excluded: false,
        };
        assert!(has_room(range(1, false, 1)));
        assert!(!has_room(range(1, true, 1)));
        assert!(!has_room(range(2, false, 1)));
        assert!(has_room(range(1, true, 2)));
    }
}
