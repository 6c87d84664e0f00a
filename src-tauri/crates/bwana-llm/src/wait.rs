//! How long a provider asks us to wait: durations as providers write them, and the `Retry-After` family of headers.
//! Relative to the answer's own `Date`, so no clock is read.

use std::time::Duration;

use http::HeaderMap;

/// A wait longer than this is taken as this: a day is a person's business anyway.
pub(crate) const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The wait the headers of an answer ask for: `retry-after-ms`, then `Retry-After` as seconds or as an HTTP date.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let ms = text("retry-after-ms").and_then(|ms| seconds(ms, 1_000.0));
    let wait = ms.or_else(|| {
        let value = text("retry-after")?;
        seconds(value, 1.0).or_else(|| {
            let until = httpdate::parse_http_date(value).ok()?;
            let now = httpdate::parse_http_date(text("date")?).ok()?;
            Some(until.duration_since(now).unwrap_or_default())
        })
    });
    wait.map(|wait| wait.min(RETRY_AFTER_MAX))
}

/// `34s`, `6m0s`, `1.2s`, `20ms`, `20 seconds`, `2 minutes`, at the start of `text`.
pub(crate) fn parse_wait(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text.trim_start();
    let mut any = false;
    loop {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let Ok(number) = rest[..digits].parse::<f64>() else {
            break;
        };
        let after = &rest[digits..];
        let unit_at = after.trim_start();
        let letters = unit_at
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(unit_at.len());
        let unit_s = match &unit_at[..letters] {
            "ms" | "milliseconds" => 0.001,
            "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
            "m" | "min" | "minute" | "minutes" => 60.0,
            "h" | "hour" | "hours" => 3_600.0,
            "d" | "day" | "days" => 86_400.0,
            _ => break,
        };
        total = total.saturating_add(bounded(number * unit_s)?);
        any = true;
        rest = &unit_at[letters..];
    }
    any.then(|| total.min(RETRY_AFTER_MAX))
}

fn seconds(text: &str, per_second: f64) -> Option<Duration> {
    bounded(text.parse::<f64>().ok()? / per_second)
}

/// A number of seconds as a wait: `None` for one that is no time, the longest wait for one that is too much of it.
fn bounded(seconds: f64) -> Option<Duration> {
    (seconds.is_finite() && seconds >= 0.0)
        .then(|| Duration::from_secs_f64(seconds.min(RETRY_AFTER_MAX.as_secs_f64())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pairs: &[(&str, &str)], ms: Option<u64>) {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(
                http::HeaderName::from_bytes(name.as_bytes()).unwrap(),
                value.parse().unwrap(),
            );
        }
        assert_eq!(
            retry_after(&headers),
            ms.map(Duration::from_millis),
            "{pairs:?}"
        );
    }

    #[test]
    fn headers_say_how_long_to_wait() {
        check(&[("retry-after", "7")], Some(7_000));
        check(&[("retry-after", "6.5")], Some(6_500));
        check(
            &[("retry-after", "7"), ("retry-after-ms", "6500")],
            Some(6_500),
        );
        check(&[("retry-after", "99999999999")], Some(86_400_000));
        check(&[("retry-after", &"9".repeat(60))], Some(86_400_000));
        check(&[("retry-after", "1e999")], None);
        check(&[("retry-after", "-3")], None);
        check(&[("retry-after", "NaN")], None);
        check(&[("retry-after", "soon")], None);
        check(&[], None);
    }

    #[test]
    fn a_date_counts_from_the_answers_own_date() {
        let date = ("date", "Wed, 25 Nov 2026 10:00:00 GMT");
        check(
            &[date, ("retry-after", "Wed, 25 Nov 2026 10:00:30 GMT")],
            Some(30_000),
        );
        check(
            &[date, ("retry-after", "Wed, 25 Nov 2026 09:00:00 GMT")],
            Some(0),
        );
        check(&[("retry-after", "Wed, 25 Nov 2026 10:00:30 GMT")], None);
    }

    #[test]
    fn durations_in_words() {
        for (text, ms) in [
            ("34s", 34_000),
            ("6m0s", 360_000),
            ("1h2m3s.", 3_723_000),
            ("20 seconds, please", 20_000),
            ("1.25s", 1_250),
            ("99999999999999999999999999s", 86_400_000),
        ] {
            assert_eq!(parse_wait(text), Some(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "soon", "7", "7 bananas", "."] {
            assert_eq!(parse_wait(text), None, "{text}");
        }
    }
}
