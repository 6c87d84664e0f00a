//! Lists of runs, and finding one by the end of its id.

use bwana_store::{RunFilter, Store, StoreError};
use bwana_types::hash::Hash;
use bwana_types::id::RunId;
use bwana_types::status::RunStatus;
use bwana_types::time::Timestamp;

use crate::common::{TestClock, append, block_on, message, new_run, run_id};

const STATUS: [RunStatus; 4] = [
    RunStatus::Running,
    RunStatus::Waiting,
    RunStatus::Done,
    RunStatus::Failed,
];

/// Twelve runs: statuses in turn, every third of workflow `b`, run 5 hidden.
fn twelve() -> Store {
    let store = Store::open_memory(TestClock::new()).unwrap();
    block_on(async {
        for n in 0..12_u64 {
            let mut new = new_run(run_id(n), &format!("  \n task {n}\nmore"));
            new.workflow = if n % 3 == 0 { "b".into() } else { "a".into() };
            new.row.status = STATUS[usize::try_from(n).unwrap() % STATUS.len()];
            store.create_run(new).await.unwrap();
        }
        store.hide_run(run_id(5), true).await.unwrap();
    });
    store
}

#[track_caller]
fn check(filter: &RunFilter, expected: &[u64]) {
    let store = twelve();
    let found: Vec<RunId> = store
        .runs(filter)
        .unwrap()
        .iter()
        .map(|run| run.id)
        .collect();
    let expected: Vec<RunId> = expected.iter().map(|n| run_id(*n)).collect();
    assert_eq!(found, expected, "{filter:?}");
    assert_eq!(
        store.count_runs(filter).unwrap(),
        expected.len() as u64,
        "counted: {filter:?}"
    );
    // The same in pages of two.
    let mut paged = Vec::new();
    let mut page = RunFilter {
        limit: 2,
        ..filter.clone()
    };
    loop {
        let found = store.runs(&page).unwrap();
        let Some(last) = found.last() else { break };
        page.before = Some(last.id);
        paged.extend(found.iter().map(|run| run.id));
    }
    assert_eq!(paged, expected, "in pages: {filter:?}");
}

#[test]
fn runs_are_listed_newest_first_by_status_and_workflow() {
    let any = RunFilter::default;
    check(&any(), &[11, 10, 9, 8, 7, 6, 4, 3, 2, 1, 0]);
    check(
        &RunFilter {
            hidden: true,
            ..any()
        },
        &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
    );
    check(
        &RunFilter {
            workflow: Some("b".into()),
            ..any()
        },
        &[9, 6, 3, 0],
    );
    check(
        &RunFilter {
            status: vec![RunStatus::Done],
            ..any()
        },
        &[10, 6, 2],
    );
    check(
        &RunFilter {
            status: vec![RunStatus::Done, RunStatus::Running, RunStatus::Done],
            ..any()
        },
        &[10, 8, 6, 4, 2, 0],
    );
    check(
        &RunFilter {
            status: vec![RunStatus::Waiting],
            hidden: true,
            ..any()
        },
        &[9, 5, 1],
    );
    check(
        &RunFilter {
            status: vec![RunStatus::Done, RunStatus::Running],
            workflow: Some("b".into()),
            ..any()
        },
        &[6, 0],
    );
    for (text, status, expected) in [
        ("TASK 1", vec![], &[11, 10, 1][..]),
        ("k 1", vec![RunStatus::Done, RunStatus::Failed], &[11, 10]),
        ("%", vec![], &[]),
        ("more", vec![], &[]),
    ] {
        let filter = RunFilter {
            text: Some(text.into()),
            status,
            ..any()
        };
        check(&filter, expected);
    }
    let definitions = twelve().definitions_of_runs().unwrap();
    let sought = |definitions| RunFilter {
        definitions: Some(definitions),
        workflow: Some("b".into()),
        ..any()
    };
    check(&sought(definitions), &[9, 6, 3, 0]);
    check(&sought(vec![Hash::of(b"another")]), &[]);
    check(
        &RunFilter {
            workflow: Some("none".into()),
            ..any()
        },
        &[],
    );
}

#[test]
fn unfinished_runs_are_found_oldest_first_also_hidden_ones() {
    let store = twelve();
    let mut found: Vec<RunId> = store
        .unfinished_runs()
        .unwrap()
        .iter()
        .map(|run| run.id)
        .collect();
    let mut expected: Vec<RunId> = [0, 1, 4, 5, 8, 9].map(run_id).to_vec();
    // All were made at the same time here, so the ids decide.
    expected.sort();
    assert_eq!(found, expected);
    found.sort();
    assert_eq!(found, expected);
    let counts = store.run_counts().unwrap();
    assert_eq!(counts, STATUS.map(|status| (status, 3)));
}

#[test]
fn a_title_is_the_first_line_that_says_something() {
    assert_eq!(twelve().run(run_id(3)).unwrap().title, "task 3");
}

/// Ids that differ only in what is given, so that their ends can be chosen.
fn id_ending(end: &str) -> RunId {
    format!(
        "run_{}{end}",
        &"06DMHX8ZB5S3NAAAAAAAAAAAAA"[..26 - end.len()]
    )
    .parse()
    .unwrap()
}

#[test]
fn a_run_is_found_by_the_end_of_its_id() {
    let store = Store::open_memory(TestClock::new()).unwrap();
    block_on(async {
        for end in ["K0ABCD", "K1ABCD", "ZZZZ"] {
            store
                .create_run(new_run(id_ending(end), "x"))
                .await
                .unwrap();
        }
    });
    let whole = id_ending("ZZZZ").to_string();
    for text in [
        "ZZZZ",
        "zzzz",
        " AZZZZ ",
        &whole,
        &whole[4..],
        &whole.to_lowercase(),
    ] {
        assert_eq!(store.find_run(text), Ok(id_ending("ZZZZ")), "{text}");
    }
    assert_eq!(store.find_run("k1abcd"), Ok(id_ending("K1ABCD")));
    let ambiguous = StoreError::Ambiguous {
        what: "run",
        id: "abcd".into(),
        count: 2,
    };
    assert_eq!(store.find_run("abcd"), Err(ambiguous));
    for text in ["ABCE", "XABCD", "run_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        assert!(
            matches!(store.find_run(text), Err(StoreError::NotFound { .. })),
            "{text}"
        );
    }
    for text in ["", "abc", "run_", "%%%%", "a b cd", "ééééé"] {
        assert!(
            matches!(store.find_run(text), Err(StoreError::Invalid { .. })),
            "{text}"
        );
    }
}

#[test]
fn a_run_that_goes_on_shows_its_last_entry() {
    let store = twelve();
    let mut later = append(run_id(0), 1, [message("x")]);
    later.entries[0].at = Timestamp(later.entries[0].at.0 + 7);
    let at = later.entries[0].at;
    block_on(store.append(later)).unwrap();
    let info = store.run(run_id(0)).unwrap();
    assert_eq!((info.head_seq, info.updated_at), (2, at));
}
