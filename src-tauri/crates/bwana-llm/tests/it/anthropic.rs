//! The Anthropic dialect: its wire cases, its requests, and what hostile servers may cost.

mod hostile;
mod requests;

use bwana_llm::Anthropic;
use bwana_types::message::text_of;
use proptest::prelude::*;

use crate::dialect_cases::{
    self, Case, bodies, check_all_cuts, check_all_splits, check_codec, check_names, check_sockets,
};
use crate::fuzz;
use crate::properties::in_pieces_of;

fn cases() -> Vec<Case> {
    [
        include_str!("../fixtures/anthropic/answers.txt"),
        include_str!("../fixtures/anthropic/ends.txt"),
        include_str!("../fixtures/anthropic/refusals.txt"),
    ]
    .into_iter()
    .flat_map(dialect_cases::read)
    .collect()
}

#[test]
fn there_are_many_cases_and_no_name_twice() {
    check_names(&cases(), 65);
}

#[test]
fn every_case_means_what_it_should() {
    check_codec(&Anthropic, &cases());
}

#[tokio::test]
async fn every_case_means_the_same_over_a_socket() {
    check_sockets::<Anthropic>(&cases()).await;
}

#[test]
fn any_split_of_the_same_bytes_gives_the_same_answer() {
    check_all_splits(&Anthropic, &cases(), 13);
}

#[test]
fn every_case_can_be_cut_anywhere() {
    check_all_cuts(&Anthropic, &cases());
}

#[test]
fn no_damage_makes_the_reader_panic() {
    fuzz::run(&Anthropic, &bodies(&cases()));
}

proptest! {
    /// Anything a model may say comes through whole, and is the same however the bytes were cut.
    #[test]
    fn any_text_survives_the_wire(said in ".{0,200}", cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20)) {
        let escaped = serde_json::to_string(&said).unwrap();
        let body = format!(
            "data: {{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{{\"type\":\"text\",\"text\":\"\"}}}}\n\n\
             data: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":{escaped}}}}}\n\n\
             data: {{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"end_turn\"}}}}\n\n"
        );
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len())).collect();
        cuts.sort_unstable();
        let (result, _) = in_pieces_of(&Anthropic, body.as_bytes(), &cuts);
        let parts = result.unwrap().parts;
        prop_assert_eq!(text_of(&parts).to_string(), said);
    }
}
