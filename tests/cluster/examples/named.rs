//! Calls of Python functions with named arguments, on the default cluster.

use std::collections::BTreeMap;

use paraply::{Args as _, Error, Function, args, blocking::Client};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::connect()?;
    client.wait_for_engines(1)?;
    let view = client.balanced();
    println!("{}", view.apply::<i64>("builtins:int", args!("ff", base = 16)).wait()?);
    println!("{:?}", view.apply::<Vec<i64>>("builtins:sorted", args!([3, 1, 2], reverse = true)).wait()?);
    let join = Function::source("lambda *, sep, parts: sep.join(parts)");
    let named = BTreeMap::from([("sep", ";".to_owned().into()), ("parts", serde_json::json!(["a", "b"]))]);
    println!("{}", view.apply::<String>(&join, ().named(named)).wait()?);
    match view.apply::<f64>("math:sqrt", args!(x = 2)).wait() {
        Err(Error::Exception(raised)) => println!("{}: {}", raised.type_name, raised.message),
        other => println!("{other:?}"),
    }
    client.close();
    Ok(())
}
