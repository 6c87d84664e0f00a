//! The append and its rules.

use bwana_store::StoreError;

use crate::common::{Home, append, behind, message, new_run, run_id, runtime};

#[test]
fn what_was_appended_is_read_back() {
    let home = Home::new();
    let store = home.owner();
    let run = run_id(1);
    runtime().block_on(async {
        let made = store
            .create_run(new_run(run, "Open a bakery\nin Nairobi"))
            .await
            .unwrap();
        assert_eq!(made.pos, 1);
        let appended = store
            .append(append(
                run,
                1,
                [message("one"), message(&"long ".repeat(2_000))],
            ))
            .await
            .unwrap();
        assert_eq!(appended.pos, 3);
        store.barrier(appended.pos).await.unwrap();
        assert!(store.durable_pos() >= appended.pos);
    });
    let mut expected = new_run(run, "Open a bakery\nin Nairobi").entries;
    expected.extend(behind(1, [message("one"), message(&"long ".repeat(2_000))]));
    assert_eq!(store.load(run).unwrap(), expected);
    assert_eq!(store.run(run).unwrap().title, "Open a bakery");
    assert_eq!(store.run(run).unwrap().head_seq, 3);
    runtime().block_on(store.close()).unwrap();
    assert_eq!(store.load(run), Err(StoreError::Closed));
    assert_eq!(home.reader().load(run).unwrap(), expected);
}
