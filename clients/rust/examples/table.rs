//! A table to Python and back: `cargo run --features arrow --example table`, beside `paraply start` and engines that have
//! pyarrow.

use std::sync::Arc;

use paraply::{
    Client, Function,
    values::arrow::{
        Table,
        arrow_array::{Array as _, ArrayRef, Int64Array, RecordBatch},
    },
};

const DOUBLED: &str = "\
def doubled(table):
    import pyarrow.compute
    return table.append_column('twice', pyarrow.compute.multiply(table['n'], 2))
";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::connect().await?;
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..1000));
    let table = Table(vec![RecordBatch::try_from_iter([("n", numbers)])?]);
    let Table(batches) = client.balanced().apply(Function::source(DOUBLED), (table,)).await?;
    let twice = batches[0].column_by_name("twice").ok_or("there is no such column")?;
    let twice = twice.as_any().downcast_ref::<Int64Array>().ok_or("they are no integers")?;
    println!("{} rows; twice {} is {}", twice.len(), 999, twice.value(999));
    client.close().await;
    Ok(())
}
