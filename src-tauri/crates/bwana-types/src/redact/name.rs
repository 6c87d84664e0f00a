//! Values that are secret because of what they are called: `api_key=…`, `"password": "…"`, `X-Api-Key: …`.
//!
//! Names of this kind also stand in prose, in schemas and in code, so the looser the form, the more a value itself must
//! look like a secret.

use super::scan::{Class, Make, Scan};
use super::{REDACTED, Span};
use crate::secret::HINT_DOTS;

/// How far a quoted value is followed.
const QUOTED_MAX_BYTES: usize = 4 * 1024;
/// Spaces, quotes and escapes that may stand between a name and its value.
const FILLER_MAX_BYTES: usize = 16;

/// What kind of secret a name promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Chosen by a person: anything.
    Password,
    /// Made by a machine, and the name means nothing else.
    Key,
    /// Made by a machine, but the name also means other things (a token of text, a secret of the trade).
    Token,
    /// The header, with its scheme before the credentials.
    Authorization,
    /// The header: a whole line.
    Cookie,
}

/// Names in lower case. What they begin with does not matter (`GROQ_API_KEY`, `clientSecret`).
pub(super) const NAMES: &[(&str, Kind)] = &[
    ("password", Kind::Password),
    ("passwd", Kind::Password),
    ("passphrase", Kind::Password),
    ("passcode", Kind::Password),
    ("pwd", Kind::Password),
    ("db_pass", Kind::Password),
    ("mail_pass", Kind::Password),
    ("smtp_pass", Kind::Password),
    ("api_key", Kind::Key),
    ("api-key", Kind::Key),
    ("apikey", Kind::Key),
    ("api key", Kind::Key),
    ("key provided", Kind::Key),
    ("secret_key", Kind::Key),
    ("secret-key", Kind::Key),
    ("secretkey", Kind::Key),
    ("access_key", Kind::Key),
    ("access-key", Kind::Key),
    ("accesskey", Kind::Key),
    ("private_key", Kind::Key),
    ("private-key", Kind::Key),
    ("privatekey", Kind::Key),
    ("account_key", Kind::Key),
    ("accountkey", Kind::Key),
    ("signing_key", Kind::Key),
    ("encryption_key", Kind::Key),
    ("goog-key", Kind::Key),
    ("client_secret", Kind::Key),
    ("clientsecret", Kind::Key),
    ("access_token", Kind::Key),
    ("accesstoken", Kind::Key),
    ("refresh_token", Kind::Key),
    ("auth_token", Kind::Key),
    ("auth-token", Kind::Key),
    ("session-token", Kind::Key),
    ("session_token", Kind::Key),
    ("secret", Kind::Token),
    ("token", Kind::Token),
    ("credential", Kind::Token),
    ("?key", Kind::Token),
    ("&key", Kind::Token),
    ("%3fkey", Kind::Token),
    ("%26key", Kind::Token),
    ("?sig", Kind::Token),
    ("&sig", Kind::Token),
    ("authorization", Kind::Authorization),
    ("cookie", Kind::Cookie),
];

/// Values that say that there is none, or of what kind it would be.
const PLACEHOLDERS: &[&str] = &[
    "null",
    "none",
    "nil",
    "true",
    "false",
    "required",
    "optional",
    "string",
    "str",
    "undefined",
    "default",
    "hidden",
    "redacted",
    "password",
];
/// Beginnings of values that lead to a secret and are none.
const REFERENCES: &[&str] = &["env:", "secret:", "keyring:", "{{", "${", "$("];
/// The longest path that counts as a reference.
const PATH_MAX_BYTES: usize = 64;

/// Words before the credentials of an `Authorization` header.
const SCHEMES: &[&str] = &["bearer", "basic", "token", "apikey", "bot", "digest"];

/// Whether a JSON field of this name with this text holds a secret.
pub(super) fn field_is_secret(name: &str, value: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    NAMES.iter().any(|(known, kind)| {
        let is_named = lower.strip_suffix(known).is_some_and(|before| {
            is_name_start(&Scan::new(name.as_bytes(), &[]), before.len(), name.len())
        });
        is_named
            && match kind {
                Kind::Authorization | Kind::Cookie => {
                    !is_placeholder(value.as_bytes()) && !is_marked(value.as_bytes())
                }
                _ => is_secret(*kind, Form::Quoted, value.as_bytes()),
            }
    })
}

/// How a value stands behind its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// In quotes.
    Quoted,
    /// `name=value`, `name:value`.
    Firm,
    /// `name: value` or `--name value`, which prose does too.
    Loose,
}

/// The value behind a name that stands from `start` to `end`.
pub(super) fn look(scan: &mut Scan<'_>, kind: Kind, start: usize, end: usize) -> Option<Span> {
    if !is_name_start(scan, start, end) {
        return None;
    }
    let behind = behind(scan, start, end)?;
    match kind {
        Kind::Authorization => return look_authorization(scan, behind),
        Kind::Cookie => return look_cookie(scan, behind),
        Kind::Password | Kind::Key | Kind::Token => {}
    }
    if let Some(depth) = behind.quote {
        let end = quoted_end(scan, behind.value, depth);
        let value = &scan.text[behind.value..end];
        let span = Span::hidden(behind.value, end);
        return is_secret(kind, Form::Quoted, value).then_some(span);
    }
    let end = scan.run_end(Class::Value, behind.value);
    let is_code = matches!(scan.at(end), Some(b'(' | b'['));
    let value = &scan.text[behind.value..end];
    let is_path = scan.starts_with(start, b"pwd") && value.first() == Some(&b'/');
    if is_code || is_path || !is_secret(kind, behind.form, value) {
        return None;
    }
    let mut span = Span::run(behind.value, end, Class::Value);
    span.shows_end = kind != Kind::Password;
    Some(span)
}

/// Shorter names are also ends of words (`keypwd`, `nonsecret`), longer ones are not (`PGPASSWORD`).
const NAME_ANYWHERE_MIN_BYTES: usize = 8;

/// A name may begin after anything but a letter or digit, and with a capital after a small letter (`clientSecret`).
fn is_name_start(scan: &Scan<'_>, at: usize, end: usize) -> bool {
    let text = scan.text;
    let is_camel = || {
        let before = text[at - 1];
        text[at].is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit())
    };
    let names_itself = matches!(text[at], b'?' | b'&' | b'%');
    let is_long =
        end - at >= NAME_ANYWHERE_MIN_BYTES || text[at..end].eq_ignore_ascii_case(b"apikey");
    names_itself || is_long || scan.is_word_start(at) || is_camel()
}

/// Where the value behind a name begins.
#[derive(Debug, Clone, Copy)]
struct Behind {
    value: usize,
    form: Form,
    /// The quote it is in and the backslashes before that quote.
    quote: Option<(u8, usize)>,
}

fn behind(scan: &mut Scan<'_>, start: usize, end: usize) -> Option<Behind> {
    let limit = (end + FILLER_MAX_BYTES).min(scan.text.len());
    if limit == scan.text.len() && !scan.text[start..].contains(&b'\n') {
        scan.is_undecided_from(start);
    }
    let at = skip(scan, end, limit, |b| b"\\\"'`]".contains(&b));
    let at = at + 3 * usize::from(scan.starts_with(at, b"%22"));
    let spaced = skip(scan, at, limit, |b| b == b' ' || b == b'\t');
    let (separator, is_equals) = separator(scan, spaced, at == spaced)?;
    let Some(separator) = separator else {
        // `--token VALUE`: only an option of a command line has its value behind a space.
        let is_option = start >= 2 && scan.text[..start].ends_with(b"-") && spaced > at;
        return is_option.then_some(Behind {
            value: spaced,
            form: Form::Loose,
            quote: None,
        });
    };
    let value = skip(scan, separator, limit, |b| b == b' ' || b == b'\t');
    // How Rust prints a value that may be absent.
    let is_some = scan.text[value..].starts_with(SOME);
    let value = value + SOME.len() * usize::from(is_some);
    let quote = skip(scan, value, limit, |b| b == b'\\');
    let depth = quote - value;
    if let Some(mark) = scan.at(quote).filter(|b| b"\"'`".contains(b)) {
        return Some(Behind {
            value: quote + 1,
            form: Form::Quoted,
            quote: Some((mark, depth)),
        });
    }
    let value = value + 3 * usize::from(scan.starts_with(value, b"%22"));
    let form = if is_equals || value == separator {
        Form::Firm
    } else {
        Form::Loose
    };
    Some(Behind {
        value,
        form,
        quote: None,
    })
}

const SOME: &[u8] = b"Some(";

fn skip(scan: &Scan<'_>, from: usize, limit: usize, wanted: impl Fn(u8) -> bool) -> usize {
    let here = scan.text.get(from..limit.max(from)).unwrap_or_default();
    from + here.iter().take_while(|b| wanted(**b)).count()
}

/// Where what separates a name from its value ends, and whether it is an equals sign. `Some(None)`: there is none, but a
/// value could follow.
fn separator(scan: &Scan<'_>, at: usize, is_close: bool) -> Option<(Option<usize>, bool)> {
    for (word, is_equals) in [
        ("=>", true),
        (":=", true),
        ("=", true),
        ("%3d", true),
        (":", false),
        ("%3a", false),
    ] {
        if scan.starts_with(at, word.as_bytes()) {
            return Some((Some(at + word.len()), is_equals));
        }
    }
    if is_close && scan.at(at) == Some(b'>') {
        return Some((Some(at + 1), true));
    }
    (!is_close).then_some((None, false))
}

/// Where a quoted value ends: at the same quote behind at most as many backslashes, at a line end, or at the limit.
fn quoted_end(scan: &mut Scan<'_>, from: usize, (mark, depth): (u8, usize)) -> usize {
    let limit = (from + QUOTED_MAX_BYTES).min(scan.text.len());
    let mut backslashes = 0;
    for at in from..limit {
        match scan.text[at] {
            b'\\' => {
                backslashes += 1;
                continue;
            }
            b'\r' | b'\n' => return at,
            byte if byte == mark => {
                // Outside of other quotes an escaped one belongs to the value.
                let closes = if depth == 0 {
                    backslashes % 2 == 0
                } else {
                    backslashes <= depth
                };
                if closes {
                    return if depth == 0 { at } else { at - backslashes };
                }
            }
            _ => {}
        }
        backslashes = 0;
    }
    if limit == scan.text.len() {
        scan.is_undecided_from(from);
    }
    limit
}

const PASSWORD_MIN_BYTES: usize = 4;
const LOOSE_PASSWORD_MIN_BYTES: usize = 7;
const KEY_MIN_BYTES: usize = 8;
/// From this length on a value of letters only counts as a key.
const LONG_KEY_MIN_BYTES: usize = 24;
const TOKEN_MIN_BYTES: usize = 12;

fn is_secret(kind: Kind, form: Form, value: &[u8]) -> bool {
    let head = &value[..value.len().min(MARK_LOOK_MAX_BYTES)];
    let marked = if form == Form::Quoted { value } else { head };
    if is_placeholder(value) || is_marked(marked) {
        return false;
    }
    let make = Make::of(value);
    let len = value.len();
    // What is not quoted has none, however long it is.
    let is_one_word = form != Form::Quoted || !value.iter().any(|b| b.is_ascii_whitespace());
    match (kind, form) {
        (Kind::Password, Form::Quoted | Form::Firm) => len >= PASSWORD_MIN_BYTES,
        (Kind::Password, Form::Loose) => {
            len >= LOOSE_PASSWORD_MIN_BYTES && make.has_digit_and_letter()
        }
        (Kind::Key, Form::Quoted) => len >= KEY_MIN_BYTES && is_one_word,
        (Kind::Key, Form::Firm) => {
            (len >= KEY_MIN_BYTES && make.has_digit_and_letter()) || len >= LONG_KEY_MIN_BYTES
        }
        (Kind::Key, Form::Loose) => len >= KEY_MIN_BYTES && make.has_digit_and_letter(),
        _ => is_one_word && len >= TOKEN_MIN_BYTES && make.has_digit_and_letter(),
    }
}

/// Of a value that is not quoted, to see whether it was looked at before.
const MARK_LOOK_MAX_BYTES: usize = 64;

/// Whether something was taken out of it already. Then it is left alone, so that twice is as good as once.
pub(super) fn is_marked(value: &[u8]) -> bool {
    let has = |mark: &[u8]| value.windows(mark.len()).any(|window| window == mark);
    has(REDACTED.as_bytes()) || has(HINT_DOTS.as_bytes())
}

fn is_placeholder(value: &[u8]) -> bool {
    let is = |word: &&str| value.eq_ignore_ascii_case(word.as_bytes());
    let begins = |word: &&str| value.starts_with(word.as_bytes());
    let is_bracketed = value.first() == Some(&b'<') && value.last() == Some(&b'>');
    let is_variable = value.strip_prefix(b"$").is_some_and(|name| {
        name.iter()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_')
    });
    value.iter().all(|b| *b == b'*')
        || is_bracketed
        || is_variable
        || is_path(value)
        || PLACEHOLDERS.iter().any(is)
        || REFERENCES.iter().any(begins)
}

/// `providers/groq2`: what a reference of ours leads to, and no key looks like.
fn is_path(value: &[u8]) -> bool {
    let area = value.iter().take_while(|b| b.is_ascii_lowercase()).count();
    let is_plain = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_/".contains(b);
    area > 0
        && value.len() <= PATH_MAX_BYTES
        && value.get(area) == Some(&b'/')
        && value.iter().all(is_plain)
}

fn look_authorization(scan: &mut Scan<'_>, behind: Behind) -> Option<Span> {
    let word = scan.run(Class::Word, behind.value);
    let is_scheme = SCHEMES
        .iter()
        .any(|scheme| word.eq_ignore_ascii_case(scheme.as_bytes()));
    let after = behind.value + word.len();
    let at = if is_scheme && scan.at(after) == Some(b' ') {
        after + 1
    } else {
        behind.value
    };
    let value = scan.run(Class::Token, at);
    let make = Make::of(value);
    let is_secret = value.len() >= KEY_MIN_BYTES
        && (make.has_digit_and_letter() || value.len() >= LONG_KEY_MIN_BYTES);
    is_secret.then(|| Span::run(at, at + value.len(), Class::Token))
}

/// Of a cookie, to see whether it is one.
const COOKIE_LOOK_MAX_BYTES: usize = 256;

fn look_cookie(scan: &mut Scan<'_>, behind: Behind) -> Option<Span> {
    let value = scan.run(Class::Line, behind.value);
    let head = &value[..value.len().min(COOKIE_LOOK_MAX_BYTES)];
    let is_pair = head.contains(&b'=') && Make::of(head).has_digit_and_letter();
    let is_new = !is_marked(head);
    let mut span = Span::run(behind.value, behind.value + value.len(), Class::Line);
    span.shows_end = false;
    (is_pair && is_new && value.len() >= TOKEN_MIN_BYTES).then_some(span)
}
