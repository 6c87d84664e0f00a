//! What lets a page in: a one-time code, which it exchanges for the token of this process. Nothing here shows itself.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bwana_types::error::{ApiError, ErrorCode};
use bwana_types::secret::Secret;
use subtle::ConstantTimeEq as _;

use crate::limits::{TRIES_MAX, TRIES_WINDOW};

/// 256 bits.
const TOKEN_BYTES: usize = 32;
/// 128 bits, for a minute.
const CODE_BYTES: usize = 16;

#[derive(Debug)]
pub(crate) struct Keys {
    token: Secret,
    code_lives: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The newest code, until it is used, with its end.
    code: Option<(Secret, Instant)>,
    /// When somebody was wrong, the oldest first.
    wrong: VecDeque<Instant>,
}

/// How a try ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Wrong,
    /// Too many were wrong lately.
    TooMany,
}

impl Keys {
    /// # Errors
    /// If the system gives no random bytes.
    pub(crate) fn new(code_lives: Duration) -> Result<Self, ApiError> {
        Ok(Self {
            token: random::<TOKEN_BYTES>()?,
            code_lives,
            state: Mutex::default(),
        })
    }

    /// A new code; the one before it no longer works.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub(crate) fn new_code(&self, now: Instant) -> Result<Secret, ApiError> {
        let code = random::<CODE_BYTES>()?;
        self.state().code = Some((code.clone(), now + self.code_lives));
        Ok(code)
    }

    /// The token, for a code that was not used before. While too many are wrong, not even a right code works: only so
    /// is guessing bounded.
    pub(crate) fn exchange(&self, code: &str, now: Instant) -> Result<Secret, Refused> {
        let mut state = self.state();
        state.check_tries(now)?;
        let fits = match &state.code {
            Some((right, end)) => now < *end && same(right, code),
            None => false,
        };
        if !fits {
            state.wrong.push_back(now);
            return Err(Refused::Wrong);
        }
        state.code = None;
        Ok(self.token.clone())
    }

    /// Whether this is the token. A right one always works: others' mistakes must not lock the person out.
    pub(crate) fn check(&self, token: Option<&str>, now: Instant) -> Result<(), Refused> {
        if token.is_some_and(|token| same(&self.token, token)) {
            return Ok(());
        }
        let mut state = self.state();
        state.check_tries(now)?;
        state.wrong.push_back(now);
        Err(Refused::Wrong)
    }

    #[cfg(test)]
    fn token(&self) -> &str {
        self.token.expose()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn check_tries(&mut self, now: Instant) -> Result<(), Refused> {
        let is_old = |at: &Instant| now.saturating_duration_since(*at) >= TRIES_WINDOW;
        while self.wrong.front().is_some_and(is_old) {
            self.wrong.pop_front();
        }
        if self.wrong.len() >= TRIES_MAX {
            return Err(Refused::TooMany);
        }
        Ok(())
    }
}

/// Takes the same time wherever they differ.
fn same(right: &Secret, tried: &str) -> bool {
    right.expose().as_bytes().ct_eq(tried.as_bytes()).into()
}

fn random<const N: usize>() -> Result<Secret, ApiError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| {
        ApiError::new(
            ErrorCode::Internal,
            format!("the system gives no random bytes: {error}"),
        )
    })?;
    let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
    Ok(Secret::new(digits.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn keys() -> (Keys, Instant) {
        (Keys::new(60 * SECOND).unwrap(), Instant::now())
    }

    #[test]
    fn a_code_works_once_and_only_the_newest() {
        let (keys, now) = keys();
        let first = keys.new_code(now).unwrap();
        let second = keys.new_code(now).unwrap();
        assert_eq!(keys.exchange(first.expose(), now), Err(Refused::Wrong));
        let token = keys.exchange(second.expose(), now).unwrap();
        assert_eq!(token.expose().len(), 2 * TOKEN_BYTES);
        assert_eq!(keys.check(Some(token.expose()), now), Ok(()));
        assert_eq!(keys.exchange(second.expose(), now), Err(Refused::Wrong));
    }

    #[test]
    fn a_code_ends_after_its_minute() {
        let (keys, now) = keys();
        let code = keys.new_code(now).unwrap();
        let late = keys.exchange(code.expose(), now + 60 * SECOND);
        assert_eq!(late, Err(Refused::Wrong));
        assert!(keys.exchange(code.expose(), now + 59 * SECOND).is_ok());
    }

    #[test]
    fn after_twenty_wrong_tries_a_minute_passes_before_the_next() {
        let (keys, now) = keys();
        for _ in 0..TRIES_MAX {
            assert_eq!(keys.check(Some("x"), now), Err(Refused::Wrong));
        }
        let code = keys.new_code(now).unwrap();
        assert_eq!(keys.check(None, now), Err(Refused::TooMany));
        assert_eq!(keys.exchange(code.expose(), now), Err(Refused::TooMany));
        assert_eq!(keys.check(Some(keys.token()), now), Ok(()));
        assert_eq!(keys.check(None, now + 60 * SECOND), Err(Refused::Wrong));
    }

    #[test]
    fn no_part_and_no_extension_of_the_token_is_the_token() {
        let (keys, now) = keys();
        let token = keys.token().to_owned();
        for wrong in [
            "",
            &token[1..],
            &token[..63],
            &format!("{token}0"),
            &token.to_uppercase().replace('0', "O"),
        ] {
            assert_eq!(keys.check(Some(wrong), now), Err(Refused::Wrong));
        }
        assert!(!format!("{keys:?}").contains(&token));
    }
}
