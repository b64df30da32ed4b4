//! The client without `async`.

use paraply::{Client, Error, blocking};

use crate::home::Home;

#[test]
fn everything_can_be_waited_for() {
    let home = Home::new(2);
    let client = blocking::Client::connect_to(Client::builder().file(home.file())).unwrap();
    client.wait_for_engines(2).unwrap();
    assert_eq!(client.engines().len(), 2);
    let doubled: i64 = client.balanced().apply("toy:double", (4,)).wait().unwrap();
    assert_eq!(doubled, 8);
    let all: Result<Vec<i64>, _> = client.balanced().map("toy:double", 0..500).collect();
    assert_eq!(all.unwrap(), (0..500).map(|n| 2 * n).collect::<Vec<_>>());
    let view = client.broadcast();
    view.scatter("part", &[1, 2, 3]).wait().unwrap();
    assert_eq!(view.gather::<i64>("part").unwrap(), [1, 2, 3]);
    let task = client.balanced().execute("said");
    let said: String = task.output().map(|piece| piece.text()).collect();
    assert_eq!(said, "said");
    task.wait().unwrap();
    let raised = client.balanced().with(|view| view.retries(1)).apply::<i64>("toy:fail", ("no",)).wait();
    assert!(matches!(raised, Err(Error::Exception(_))), "{raised:?}");
    client.close();
}
