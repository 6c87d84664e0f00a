//! What a person says: taken while somebody may still hear it, heard once and in its time, and never left over by a run
//! that completes.

use std::collections::BTreeMap;

use bwana_types::entry::{MessagePosted, PersonSaid, SAID_MAX_BYTES, Seq, Speaker, When};

use super::{Verdict, must};

#[derive(Debug, Default)]
pub(super) struct Words {
    /// Unheard words, and whether their time has come.
    waiting: BTreeMap<Seq, (When, bool)>,
    /// A turn was added for a person's last word; the next model call must be given it.
    owed: bool,
}

impl Words {
    pub(super) fn said(&mut self, seq: Seq, said: &PersonSaid) -> Verdict {
        let bytes = said.text.len();
        must!(bytes <= SAID_MAX_BYTES, "{bytes} bytes in one breath");
        must!(!said.text.trim().is_empty(), "nothing was said");
        self.waiting
            .insert(seq, (said.when, said.when == When::Now));
        Ok(())
    }

    /// A step begins; only those at the top count.
    pub(super) fn step(&mut self, path: &str) {
        if !path.contains('/') {
            for (when, due) in self.waiting.values_mut() {
                *due |= *when == When::AfterStep;
            }
        }
    }

    /// A turn is added because the run would end and these words are unheard.
    pub(super) fn last_turn(&mut self, answers: Seq) -> Verdict {
        must!(
            self.waiting.contains_key(&answers),
            "a turn for words {answers}, which nobody waits to be heard with"
        );
        self.waiting.values_mut().for_each(|(_, due)| *due = true);
        self.owed = true;
        Ok(())
    }

    pub(super) fn heard(&mut self, said: Seq, posted: &MessagePosted) -> Verdict {
        must!(
            posted.from == Speaker::Person,
            "a person's words from {:?}",
            posted.from
        );
        must!(
            posted.text.is_none() && posted.call.is_none(),
            "words that stand in two places"
        );
        match self.waiting.remove(&said) {
            Some((_, true)) => {
                self.owed = false;
                Ok(())
            }
            Some((when, false)) => Err(format!("words for {when:?} are heard too early")),
            None => Err(format!("nobody said {said}, or it was heard before")),
        }
    }

    /// A model call begins: whoever was to be heard first was.
    pub(super) fn model_call(&self) -> Verdict {
        let due = self.waiting.iter().find(|(_, (_, due))| *due);
        must!(due.is_none(), "a model call that does not hear {due:?}");
        must!(!self.owed, "a turn for a last word that it was not given");
        Ok(())
    }

    pub(super) fn completed(&self) -> Verdict {
        must!(
            self.waiting.is_empty(),
            "completed with words unheard: {:?}",
            self.waiting
        );
        Ok(())
    }
}
