//! What keys look like: the beginnings their makers gave them, tokens of known build, and credentials in headers and
//! addresses. Beginnings are found by one automaton; each rule then looks at the run behind its own.

use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::Span;
use super::name;
use super::scan::{Class, Make, Scan};

/// A key that begins in a way of its own.
struct Prefix {
    begins: &'static str,
    /// What follows, and how many bytes of it at least.
    class: Class,
    min: usize,
    look: Look,
}

/// What else must be true of what follows a beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// The beginning says it all.
    Any,
    /// A digit at least: words behind a short beginning are words.
    Digit,
    /// Exactly as many capitals and digits as the least number, and no more.
    ExactCapitals,
    /// Small hexadecimal digits only.
    Hex,
    /// A piece without hyphens that is long and mixed: `sk-` also begins names of packages.
    LongPiece,
}

const fn key(begins: &'static str, class: Class, min: usize, look: Look) -> Prefix {
    Prefix {
        begins,
        class,
        min,
        look,
    }
}

/// Only as long a rest is asked for as tells a key from a word.
const PREFIXES: &[Prefix] = &[
    // Models.
    key("sk-", Class::Dash, 16, Look::LongPiece),
    key("sk-ant-", Class::Dash, 16, Look::Any),
    key("sk-proj-", Class::Dash, 16, Look::Any),
    key("sk-svcacct-", Class::Dash, 16, Look::Any),
    key("sk-admin-", Class::Dash, 16, Look::Digit),
    key("sk-or-v1-", Class::Dash, 16, Look::Any),
    key("AIza", Class::Dash, 35, Look::Any),
    key("gsk_", Class::Word, 20, Look::Any),
    key("xai-", Class::Word, 20, Look::Digit),
    key("pplx-", Class::Word, 20, Look::Digit),
    key("nvapi-", Class::Dash, 20, Look::Digit),
    key("csk-", Class::Word, 20, Look::Digit),
    key("fw_", Class::Word, 20, Look::Digit),
    key("tgp_v1_", Class::Dash, 20, Look::Any),
    key("hf_", Class::Word, 30, Look::Any),
    key("r8_", Class::Word, 30, Look::Any),
    key("tvly-", Class::Dash, 20, Look::Digit),
    key("jina_", Class::Dash, 30, Look::Digit),
    key("lsv2_", Class::Dash, 30, Look::Any),
    // Code and packages.
    key("ghp_", Class::Word, 30, Look::Any),
    key("gho_", Class::Word, 30, Look::Any),
    key("ghu_", Class::Word, 30, Look::Any),
    key("ghs_", Class::Word, 30, Look::Any),
    key("ghr_", Class::Word, 30, Look::Any),
    key("github_pat_", Class::Dash, 30, Look::Any),
    key("glpat-", Class::Dot, 20, Look::Any),
    key("gldt-", Class::Dash, 20, Look::Any),
    key("glrt-", Class::Dot, 20, Look::Any),
    key("glptt-", Class::Word, 20, Look::Any),
    key("gloas-", Class::Word, 20, Look::Any),
    key("npm_", Class::Word, 30, Look::Any),
    key("pypi-", Class::Dash, 50, Look::Any),
    key("rubygems_", Class::Word, 40, Look::Hex),
    key("cio", Class::Word, 32, Look::Digit),
    key("dckr_pat_", Class::Dash, 20, Look::Any),
    key("dckr_oat_", Class::Dash, 20, Look::Any),
    key("ATBB", Class::Word, 28, Look::Digit),
    key("ATATT3", Class::Token, 40, Look::Any),
    key("ATCTT3", Class::Token, 40, Look::Any),
    // Clouds.
    key("AKIA", Class::Word, 16, Look::ExactCapitals),
    key("ASIA", Class::Word, 16, Look::ExactCapitals),
    key("ABIA", Class::Word, 16, Look::ExactCapitals),
    key("ACCA", Class::Word, 16, Look::ExactCapitals),
    key("ya29.", Class::Dash, 20, Look::Any),
    key("1//0", Class::Dash, 30, Look::Any),
    key("GOCSPX-", Class::Dash, 20, Look::Any),
    key("dop_v1_", Class::Word, 40, Look::Hex),
    key("doo_v1_", Class::Word, 40, Look::Hex),
    key("dor_v1_", Class::Word, 40, Look::Hex),
    key("dapi", Class::Word, 32, Look::Hex),
    key("hvs.", Class::Dash, 24, Look::Any),
    key("hvb.", Class::Dash, 24, Look::Any),
    key("sbp_", Class::Word, 40, Look::Hex),
    key("sb_secret_", Class::Dash, 20, Look::Any),
    key("tskey-", Class::Dash, 20, Look::Digit),
    key("fo1_", Class::Dash, 30, Look::Any),
    key("AGE-SECRET-KEY-1", Class::Word, 40, Look::Any),
    key("pul-", Class::Word, 40, Look::Hex),
    // Work and money.
    key("xoxb-", Class::Dash, 16, Look::Digit),
    key("xoxp-", Class::Dash, 16, Look::Digit),
    key("xoxa-", Class::Dash, 16, Look::Digit),
    key("xoxr-", Class::Dash, 16, Look::Digit),
    key("xoxs-", Class::Dash, 16, Look::Digit),
    key("xoxe-", Class::Dash, 16, Look::Digit),
    key("xapp-", Class::Dash, 16, Look::Digit),
    key("hooks.slack.com/services/", Class::Token, 20, Look::Any),
    key("/api/webhooks/", Class::Token, 40, Look::Digit),
    key("sk_live_", Class::Word, 16, Look::Any),
    key("sk_test_", Class::Word, 16, Look::Any),
    key("rk_live_", Class::Word, 16, Look::Any),
    key("rk_test_", Class::Word, 16, Look::Any),
    key("whsec_", Class::Token, 20, Look::Any),
    key("sq0atp-", Class::Dash, 20, Look::Any),
    key("sq0csp-", Class::Dash, 20, Look::Any),
    key("shpat_", Class::Word, 32, Look::Hex),
    key("shpss_", Class::Word, 32, Look::Hex),
    key("shpca_", Class::Word, 32, Look::Hex),
    key("shppa_", Class::Word, 32, Look::Hex),
    key("SG.", Class::Dot, 50, Look::Digit),
    key("key-", Class::Word, 32, Look::Hex),
    key("EAA", Class::Word, 60, Look::Digit),
    key("lin_api_", Class::Word, 30, Look::Any),
    key("ntn_", Class::Word, 40, Look::Digit),
    key("secret_", Class::Word, 40, Look::Digit),
    key("figd_", Class::Dash, 30, Look::Any),
    key("PMAK-", Class::Dash, 40, Look::Any),
    key("CFPAT-", Class::Dash, 40, Look::Any),
    key("glsa_", Class::Dash, 30, Look::Any),
    key("glc_", Class::Token, 40, Look::Digit),
    key("NRAK-", Class::Word, 27, Look::Any),
    key("sntrys_", Class::Token, 40, Look::Any),
    key("sntryu_", Class::Word, 40, Look::Hex),
    key("pat-na1-", Class::Dash, 30, Look::Digit),
    key("pat-eu1-", Class::Dash, 30, Look::Digit),
];

/// Rules that are not one run behind a beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    Prefix(usize),
    Name(name::Kind),
    Jwt,
    Pem,
    Bearer,
    Basic,
    UserInfo,
    Telegram,
}

const OTHERS: &[(&str, Rule)] = &[
    ("eyJ", Rule::Jwt),
    (PEM_BEGIN, Rule::Pem),
    ("bearer", Rule::Bearer),
    ("basic", Rule::Basic),
    ("://", Rule::UserInfo),
    (":AA", Rule::Telegram),
];

/// Where keys may begin, besides where words do.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Begin<'a> {
    /// Not before here: too little is known of what stands before.
    pub(super) from: usize,
    /// Behind values that are taken out anyway, in order.
    pub(super) ends: &'a [usize],
}

struct Rules {
    finder: AhoCorasick,
    rules: Vec<Rule>,
}

fn rules() -> &'static Rules {
    static RULES: OnceLock<Rules> = OnceLock::new();
    RULES.get_or_init(|| {
        let prefixes = PREFIXES.iter().enumerate();
        let prefixes = prefixes.map(|(at, prefix)| (prefix.begins, Rule::Prefix(at)));
        let names = name::NAMES
            .iter()
            .map(|(name, kind)| (*name, Rule::Name(*kind)));
        let all: Vec<_> = prefixes
            .chain(names)
            .chain(OTHERS.iter().copied())
            .collect();
        let finder = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .ascii_case_insensitive(true)
            .build(all.iter().map(|(word, _)| word))
            .expect("a constant list of words makes an automaton");
        Rules {
            finder,
            rules: all.into_iter().map(|(_, rule)| rule).collect(),
        }
    })
}

/// Adds what has the shape of a key. Answers from where
/// on more text could change that.
pub(super) fn find(text: &[u8], begin: Begin<'_>, spans: &mut Vec<Span>) -> Option<usize> {
    let Rules { finder, rules } = rules();
    let mut scan = Scan::new(text, begin.ends);
    for found in finder.find_overlapping_iter(text) {
        let (start, end) = (found.start(), found.end());
        if start < begin.from {
            continue;
        }
        let span = match rules[found.pattern().as_usize()] {
            Rule::Prefix(at) => look_prefix(&mut scan, &PREFIXES[at], start, end),
            Rule::Name(kind) => name::look(&mut scan, kind, start, end),
            Rule::Jwt => look_jwt(&mut scan, start),
            Rule::Pem => look_pem(&mut scan, start, end),
            Rule::Bearer => look_bearer(&mut scan, start, end),
            Rule::Basic => look_basic(&mut scan, start, end),
            Rule::UserInfo => look_user_info(&mut scan, end),
            Rule::Telegram => look_telegram(&mut scan, start),
        };
        scan.covered = span.map_or(scan.covered, |span| scan.covered.max(span.end));
        spans.extend(span);
    }
    scan.undecided
}

fn look_prefix(scan: &mut Scan<'_>, prefix: &Prefix, start: usize, end: usize) -> Option<Span> {
    // The automaton does not mind capitals, for the sake of names; makers of keys do.
    if scan.text[start..end] != *prefix.begins.as_bytes() {
        return None;
    }
    let is_path = prefix.begins.contains('/');
    if !is_path && !scan.is_word_start(start) {
        return None;
    }
    let mut rest = scan.run(prefix.class, end);
    if prefix.look == Look::ExactCapitals {
        let is_capital = |b: &&u8| b.is_ascii_uppercase() || b.is_ascii_digit();
        let length = rest.iter().take(prefix.min + 1).take_while(is_capital);
        rest = &rest[..length.count()];
    }
    let make = Make::of(rest);
    let looks = match prefix.look {
        Look::Any => true,
        Look::Digit => make.digits > 0,
        Look::ExactCapitals => rest.len() == prefix.min && make.digits > 0,
        Look::Hex => rest[..prefix.min.min(rest.len())]
            .iter()
            .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')),
        Look::LongPiece => has_long_piece(rest),
    };
    let from = if is_path { end } else { start };
    (rest.len() >= prefix.min && looks).then(|| Span::run(from, end + rest.len(), prefix.class))
}

/// The least length of a piece that no name of a package has without being mixed.
const PIECE_MIN_BYTES: usize = 16;
/// Of a rest that is looked at.
const PIECES_MAX_BYTES: usize = 256;

fn has_long_piece(rest: &[u8]) -> bool {
    let head = &rest[..rest.len().min(PIECES_MAX_BYTES)];
    head.split(|b| matches!(b, b'-' | b'_')).any(|piece| {
        let make = Make::of(piece);
        let is_mixed = make.has_digit_and_letter() || (make.upper > 2 && make.lower > 2);
        piece.len() >= PIECE_MIN_BYTES && is_mixed
    }) || Make::of(head).digits >= PIECE_MIN_BYTES / 2
}

const JWT_PART_MIN_BYTES: usize = 10;

/// A signed or encrypted token (RFC 7519): three or five parts, the first an object.
fn look_jwt(scan: &mut Scan<'_>, start: usize) -> Option<Span> {
    let is_inside = start > 0 && Class::Dot.holds(scan.text[start - 1]);
    if !scan.text[start..].starts_with(b"eyJ") || (is_inside && !scan.is_word_start(start)) {
        return None;
    }
    let end = scan.run_end(Class::Dot, start);
    if end == scan.text.len() {
        scan.is_undecided_from(start);
    }
    let run = &scan.text[start..end];
    let mut parts = run.split(|b| *b == b'.');
    let is_long = |part: Option<&[u8]>| part.is_some_and(|p| p.len() >= JWT_PART_MIN_BYTES);
    // The second part of an encrypted one may be empty, and of an unsigned one the last.
    let looks = is_long(parts.next()) && (is_long(parts.next()) || parts.next().is_some());
    let mut span = Span::run(start, end, Class::Dot);
    span.shows_end = false;
    looks.then_some(span)
}

const PEM_BEGIN: &str = "-----BEGIN ";
const PEM_RULE: &[u8] = b"-----";
const PEM_END: &[u8] = b"END ";
/// Of what stands between `BEGIN` and the rule behind it.
const PEM_LABEL_MAX_BYTES: usize = 48;

/// A private key in PEM (RFC 7468), also of PGP and OpenSSH, also when it is cut off.
fn look_pem(scan: &mut Scan<'_>, start: usize, end: usize) -> Option<Span> {
    let limit = (end + PEM_LABEL_MAX_BYTES).min(scan.text.len());
    let head = &scan.text[end..limit];
    let label = position(head, PEM_RULE)?;
    position(&head[..label], b"PRIVATE KEY")?;
    let body = end + label + PEM_RULE.len();
    let run_end = scan.run_end(Class::Pem, body);
    // The next rule is that of its end, or of another beginning: then this one was cut off.
    let next = position(&scan.text[body..run_end], PEM_RULE).map(|at| body + at);
    let Some(rule) = next else {
        // The backslashes before a quote belong to the quote.
        let tail = scan.text[body..run_end].iter().rev();
        let escapes = tail.take_while(|b| **b == b'\\').count();
        let is_quoted = scan.at(run_end) == Some(b'"');
        let end = run_end - escapes * usize::from(is_quoted);
        return Some(Span {
            shows_end: false,
            ..Span::run(start, end, Class::Pem)
        });
    };
    let after = rule + PEM_RULE.len();
    if !scan.starts_with(after, PEM_END) {
        let is_cut = after + PEM_END.len() > scan.text.len();
        let class = is_cut.then_some(Class::Pem);
        let end = if is_cut { run_end } else { rule };
        return Some(Span {
            class,
            ..Span::hidden(start, end)
        });
    }
    let limit = (after + PEM_LABEL_MAX_BYTES).min(scan.text.len());
    let close = position(&scan.text[after..limit], PEM_RULE);
    let end = close.map_or(run_end.min(limit), |at| after + at + PEM_RULE.len());
    let class = (close.is_none() && limit == scan.text.len()).then_some(Class::Pem);
    Some(Span {
        class,
        ..Span::hidden(start, end)
    })
}

fn position(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len()).position(|window| window == word)
}

const BEARER_MIN_BYTES: usize = 8;
const LONG_BEARER_MIN_BYTES: usize = 24;

/// `Bearer …` (RFC 6750). "Bearer tokens" are prose.
fn look_bearer(scan: &mut Scan<'_>, start: usize, end: usize) -> Option<Span> {
    let at = behind_scheme(scan, start, end)?;
    let value = scan.run(Class::Token, at);
    let make = Make::of(value);
    let is_mixed = make.has_digit_and_letter() && value.len() >= BEARER_MIN_BYTES;
    let is_long = value.len() >= LONG_BEARER_MIN_BYTES && make.upper > 0;
    (is_mixed || is_long).then(|| Span::run(at, at + value.len(), Class::Token))
}

/// Of what is decoded to see whether it is a name and a password.
const BASIC_LOOK_MAX_BYTES: usize = 1_024;

/// `Basic …` (RFC 7617): base64 of a name, a colon and a password. Basic knowledge is prose.
fn look_basic(scan: &mut Scan<'_>, start: usize, end: usize) -> Option<Span> {
    let at = behind_scheme(scan, start, end)?;
    let value = scan.run(Class::Token, at);
    if value.len() > BASIC_LOOK_MAX_BYTES {
        return Some(Span::hidden(at, at + value.len()));
    }
    let decoded = Zeroizing::new(STANDARD.decode(value).ok()?);
    let is_pair =
        decoded.contains(&b':') && decoded.len() > 2 && !decoded.iter().any(u8::is_ascii_control);
    let mut span = Span::run(at, at + value.len(), Class::Token);
    span.shows_end = false;
    is_pair.then_some(span)
}

/// Where the credentials behind the name of a scheme begin.
fn behind_scheme(scan: &Scan<'_>, start: usize, end: usize) -> Option<usize> {
    if !scan.is_word_start(start) {
        return None;
    }
    match scan.at(end)? {
        b' ' | b'\t' => Some(end + 1),
        b'+' => Some(end + 1),
        b'%' if scan.starts_with(end, b"%20") => Some(end + 3),
        _ => None,
    }
}

/// The password, or the token in place of a name, before the host of an address.
fn look_user_info(scan: &mut Scan<'_>, from: usize) -> Option<Span> {
    let end = scan.run_end(Class::User, from);
    if end == scan.text.len() {
        scan.is_undecided_from(from);
    }
    let run = &scan.text[from..end];
    let at = run.iter().rposition(|b| *b == b'@')?;
    let info = &run[..at];
    let colon = info.iter().position(|b| *b == b':');
    match colon {
        Some(colon) => {
            let password = &info[colon + 1..];
            let is_none = password.is_empty() || name::is_marked(password);
            (!is_none).then(|| Span::hidden(from + colon + 1, from + at))
        }
        None => {
            let is_token = info.len() >= PIECE_MIN_BYTES
                && info.iter().all(|b| Class::Dash.holds(*b))
                && Make::of(info).has_digit_and_letter();
            is_token.then(|| Span::hidden(from, from + at))
        }
    }
}

const TELEGRAM_ID_BYTES: std::ops::RangeInclusive<usize> = 8..=10;
const TELEGRAM_KEY_MIN_BYTES: usize = 34;

/// A bot's token: its number, a colon and a key that begins with `AA`.
fn look_telegram(scan: &mut Scan<'_>, colon: usize) -> Option<Span> {
    let key = scan.run(Class::Dash, colon + 1);
    let before = &scan.text[..colon];
    let digits = before
        .iter()
        .rev()
        .take(TELEGRAM_ID_BYTES.end() + 1)
        .take_while(|b| b.is_ascii_digit())
        .count();
    let is_key = key.starts_with(b"AA") && key.len() >= TELEGRAM_KEY_MIN_BYTES;
    (is_key && TELEGRAM_ID_BYTES.contains(&digits))
        .then(|| Span::run(colon - digits, colon + 1 + key.len(), Class::Dash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_beginning_is_said_once() {
        let mut begins: Vec<_> = PREFIXES.iter().map(|prefix| prefix.begins).collect();
        begins.sort_unstable();
        let all = begins.len();
        begins.dedup();
        assert_eq!(begins.len(), all);
        assert!(all >= 60, "{all}");
    }

    #[test]
    fn a_cut_private_key_ends_where_the_next_one_begins() {
        let text =
            b"-----BEGIN PRIVATE KEY-----\nMIIE\n-----BEGIN RSA PRIVATE KEY-----\nAAAA. Rest";
        let mut spans = Vec::new();
        find(text, Begin::default(), &mut spans);
        let ends: Vec<_> = spans.iter().map(|s| (s.start, s.end)).collect();
        assert_eq!(ends, [(0, 33), (33, 69)]);
    }
}
