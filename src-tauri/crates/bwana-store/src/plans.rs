//! Every query that answers a list or a search goes through an index: held here for all of them at once, because a query
//! that walks a whole table is fast in every test and slow after a year.

use bwana_types::time::Timestamp;

use crate::{
    artifacts, blobs, changes, db, definitions, entries, grants, ledger, merge, runs, source,
    tasks, traffic,
};

/// The steps SQLite plans for `sql`.
fn plan(sql: &str) -> Vec<String> {
    let db = db::open_memory(Timestamp(0)).unwrap();
    let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let parameters = statement.parameter_count();
    let values = vec![1_i64; parameters];
    statement
        .query_map(rusqlite::params_from_iter(values), |row| row.get(3))
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

/// `ordered`: also that the order comes from the index and nothing is sorted.
#[track_caller]
fn check(sql: &str, ordered: bool) {
    let steps = plan(sql);
    for step in &steps {
        let walks = step.starts_with("SCAN") && !step.starts_with("SCAN CONSTANT ROW");
        // The days of a recursive query are rows it has made itself.
        assert!(
            !walks || step.starts_with("SCAN days"),
            "{step}\n{sql}\n{steps:#?}"
        );
        assert!(!ordered || !step.contains("TEMP B-TREE"), "{step}\n{sql}");
    }
    assert!(
        steps.iter().any(|step| step.contains("USING")),
        "{steps:#?}"
    );
}

#[test]
fn every_list_and_search_uses_an_index() {
    for sql in [
        entries::ENTRIES,
        entries::CALLS,
        merge::OUR_RUN,
        source::RUNS_AFTER,
        source::ROWS_AFTER,
        source::ROW_AT,
        runs::RUN,
        runs::RUNS,
        runs::RUNS_BY_WORKFLOW,
        runs::RUNS_BY_STATUS,
        runs::RUNS_BY_STATUS_AND_WORKFLOW,
        runs::RUNS_SINCE,
        runs::RUN_BY_TAIL,
        runs::COUNT_BY_STATUS,
        tasks::TASK,
        tasks::TASKS,
        tasks::TASKS_BY_STATUS,
        tasks::TASKS_OF_RUN,
        tasks::TASKS_OF_RUN_BY_STATUS,
        tasks::TASK_AT,
        tasks::OPEN_TASKS,
        tasks::TASK_BY_TAIL,
        grants::GRANT,
        grants::GRANTS,
        grants::GRANTS_OF_TOOL,
        grants::GRANT_OF_TASK,
        grants::GRANT_BY_TAIL,
        artifacts::ARTIFACTS,
        definitions::DEFINITION,
        definitions::DEFINITIONS,
        changes::ENTRIES_SINCE,
        changes::CHANGES_SINCE,
        blobs::BLOB_BY_HASH,
        ledger::DAY_SPENT,
        ledger::CALLS_SPENT,
        traffic::DAY_TRAFFIC,
        traffic::TRAFFIC_OF_DAYS,
    ] {
        check(sql, true);
    }
    // A handful of rows each, sorted after they were found by an index.
    check(runs::FORKS, false);
    check(ledger::RESERVATIONS, false);
}

#[test]
fn a_query_that_walks_a_table_would_be_noticed() {
    assert_eq!(plan("SELECT id FROM runs WHERE title = ?1"), ["SCAN runs"]);
}
