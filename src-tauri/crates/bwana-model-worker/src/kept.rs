//! Which prompts stay in the model's memory, and which of them a new prompt can start from.
//! Agents of a team take turns, each with its own system prompt: keeping a few prompts saves reading them again.
//! Pure bookkeeping over token numbers; the cache itself is moved by `llama`.

/// Prompts kept at once. More would fit, but every kept token makes each new one a little slower.
pub(crate) const KEPT_PROMPTS_MAX: usize = 4;
/// A shared beginning shorter than this, in tokens, is not worth copying.
const SHARED_MIN_TOKENS: usize = 16;

/// What the cache holds, one list of tokens a place.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    places: [Place; KEPT_PROMPTS_MAX],
    clock: u64,
}

#[derive(Debug, Default)]
struct Place {
    tokens: Vec<i32>,
    used: u64,
}

/// How to make room for a prompt: do the steps in this order, then read `prompt[keep..]` into `place`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) place: usize,
    /// Copy the first `keep` tokens from there into the (emptied) place.
    pub(crate) copy_from: Option<usize>,
    /// Tokens of the prompt that need not be read again. Less than its length: the last one must be read anew to be
    /// continued from.
    pub(crate) keep: usize,
    /// Places to empty afterwards, so that the prompt and its answer fit.
    pub(crate) forget: Vec<usize>,
}

impl Kept {
    /// Plans for `prompt` with at most `answer` tokens after it in a cache of `capacity` tokens, and books the
    /// beginning that is kept. Tokens read later are booked with [`Kept::push`].
    pub(crate) fn plan(&mut self, prompt: &[i32], answer: usize, capacity: usize) -> Plan {
        self.clock += 1;
        let usable = prompt.len().saturating_sub(1);
        let shared = |place: &Place| common_prefix(&place.tokens, prompt).min(usable);
        let best = (0..KEPT_PROMPTS_MAX)
            .max_by_key(|at| (shared(&self.places[*at]), self.places[*at].used))
            .unwrap_or(0);
        let keep = shared(&self.places[best]);
        let worth_taking_over = keep * 2 >= self.places[best].tokens.len();
        let (place, copy_from, keep) = if keep >= SHARED_MIN_TOKENS && worth_taking_over {
            (best, None, keep)
        } else {
            let oldest = self.oldest_but(best);
            if keep >= SHARED_MIN_TOKENS {
                (oldest, Some(best), keep)
            } else {
                (oldest, None, 0)
            }
        };
        self.places[place].tokens = prompt[..keep].to_vec();
        self.places[place].used = self.clock;
        let forget = self.make_room(place, prompt.len() + answer, capacity);
        Plan {
            place,
            copy_from,
            keep,
            forget,
        }
    }

    /// Books a token that was read into `place`.
    pub(crate) fn push(&mut self, place: usize, token: i32) {
        self.places[place].tokens.push(token);
    }

    /// Tokens in `place`.
    pub(crate) fn len(&self, place: usize) -> usize {
        self.places[place].tokens.len()
    }

    /// Forgets everything, after the cache was emptied.
    pub(crate) fn clear(&mut self) {
        self.places = Default::default();
    }

    /// Forgets one place, after it was emptied.
    pub(crate) fn clear_place(&mut self, place: usize) {
        self.places[place] = Place::default();
    }

    pub(crate) fn count(&self) -> usize {
        self.places.iter().filter(|p| !p.tokens.is_empty()).count()
    }

    /// An empty place if there is one, else the one used longest ago; `spare` only if nothing else is left.
    fn oldest_but(&self, spare: usize) -> usize {
        let empty = self.places.iter().position(|p| p.tokens.is_empty());
        empty.unwrap_or_else(|| {
            (0..KEPT_PROMPTS_MAX)
                .filter(|at| *at != spare)
                .min_by_key(|at| self.places[*at].used)
                .unwrap_or(spare)
        })
    }

    /// Empties places, oldest first, until `needed` tokens fit beside the rest. Tokens that places share are counted
    /// for each, so this may empty one too many, never one too few.
    fn make_room(&mut self, place: usize, needed: usize, capacity: usize) -> Vec<usize> {
        let mut others: Vec<usize> = (0..KEPT_PROMPTS_MAX)
            .filter(|at| *at != place && !self.places[*at].tokens.is_empty())
            .collect();
        others.sort_by_key(|at| self.places[*at].used);
        let mut held: usize = others.iter().map(|at| self.places[*at].tokens.len()).sum();
        let mut forget = Vec::new();
        for at in others {
            if held + needed <= capacity {
                break;
            }
            held -= self.places[at].tokens.len();
            self.clear_place(at);
            forget.push(at);
        }
        forget
    }
}

fn common_prefix(a: &[i32], b: &[i32]) -> usize {
    a.iter().zip(b).take_while(|(x, y)| x == y).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPACITY: usize = 1_000;

    fn prompt(system: i32, system_tokens: usize, rest: &[i32]) -> Vec<i32> {
        let mut tokens = vec![system; system_tokens];
        tokens.extend_from_slice(rest);
        tokens
    }

    /// Plans and then books the whole prompt, as a call does.
    fn call(kept: &mut Kept, tokens: &[i32]) -> Plan {
        let plan = kept.plan(tokens, 100, CAPACITY);
        for token in &tokens[plan.keep..] {
            kept.push(plan.place, *token);
        }
        plan
    }

    #[test]
    fn a_longer_conversation_reads_only_what_is_new() {
        let mut kept = Kept::default();
        assert_eq!(call(&mut kept, &prompt(1, 50, &[7, 8])).keep, 0);
        let next = call(&mut kept, &prompt(1, 50, &[7, 8, 9, 10]));
        assert_eq!((next.keep, next.copy_from), (52, None));
        assert_eq!(kept.count(), 1);
    }

    #[test]
    fn the_last_token_is_always_read_again() {
        let mut kept = Kept::default();
        let tokens = prompt(1, 50, &[]);
        call(&mut kept, &tokens);
        assert_eq!(call(&mut kept, &tokens).keep, 49);
    }

    #[test]
    fn agents_who_take_turns_keep_their_own_prompts() {
        let mut kept = Kept::default();
        let agents: Vec<Vec<i32>> = (1..=3).map(|a| prompt(a, 60, &[90 + a])).collect();
        for tokens in &agents {
            assert_eq!(call(&mut kept, tokens).keep, 0);
        }
        for tokens in &agents {
            assert_eq!(call(&mut kept, tokens).keep, 60);
        }
        assert_eq!(kept.count(), 3);
    }

    #[test]
    fn a_shared_beginning_is_copied_when_the_rest_is_still_wanted() {
        let mut kept = Kept::default();
        let long: Vec<i32> = prompt(1, 40, &(100..300).collect::<Vec<_>>());
        let first = call(&mut kept, &long);
        let other = call(&mut kept, &prompt(1, 40, &[5; 30]));
        assert_eq!(
            (other.keep, other.copy_from),
            (40, Some(first.place)),
            "the long one stays"
        );
        assert_ne!(other.place, first.place);
        assert_eq!(call(&mut kept, &long).keep, long.len() - 1);
    }

    #[test]
    fn a_fifth_prompt_takes_the_place_used_longest_ago() {
        let mut kept = Kept::default();
        for system in 1..=5 {
            call(&mut kept, &prompt(system, 40, &[9]));
        }
        assert_eq!(kept.count(), KEPT_PROMPTS_MAX);
        assert_eq!(call(&mut kept, &prompt(2, 40, &[9])).keep, 40);
        assert_eq!(call(&mut kept, &prompt(1, 40, &[9])).keep, 0);
    }

    #[test]
    fn what_does_not_fit_beside_the_new_prompt_is_forgotten_oldest_first() {
        let mut kept = Kept::default();
        let first = call(&mut kept, &prompt(1, 300, &[]));
        let second = call(&mut kept, &prompt(2, 300, &[]));
        let plan = call(&mut kept, &prompt(3, 500, &[]));
        assert_eq!(plan.forget, vec![first.place]);
        let plan = call(&mut kept, &prompt(4, 900, &[]));
        assert_eq!(plan.forget.len(), 2);
        assert!(plan.forget.contains(&second.place));
        assert_eq!(kept.count(), 1);
    }

    #[test]
    fn even_one_prompt_of_the_whole_capacity_finds_a_place() {
        let mut kept = Kept::default();
        for system in 1..=6 {
            let plan = call(&mut kept, &prompt(system, 890, &[]));
            assert!(plan.keep == 0 && plan.copy_from.is_none());
            assert_eq!(kept.count(), 1);
        }
    }

    #[test]
    fn an_empty_prompt_is_no_special_case() {
        let mut kept = Kept::default();
        assert_eq!(call(&mut kept, &[]).keep, 0);
        assert_eq!(call(&mut kept, &[4]).keep, 0);
    }
}
