//! A matrix product over blocks of rows that are scattered over the engines: `cargo run -p paraply --example matrix`.

use paraply::Client;

const SIZE: usize = 120;

type Matrix = Vec<Vec<f64>>;

fn matrix(entry: impl Fn(usize, usize) -> f64) -> Matrix {
    (0..SIZE).map(|row| (0..SIZE).map(|column| entry(row, column)).collect()).collect()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let a = matrix(|row, column| (row + column) as f64);
    let b = matrix(|row, column| if row == column { 2.0 } else { 0.0 });
    let client = Client::connect().await?;
    client.wait_for_engines(1).await?;
    let engines = client.broadcast();
    // Each engine has some rows of a, and all of b.
    engines.scatter("a", &a).await?;
    engines.push("b", &b).await?;
    engines.execute("c = [[sum(x * y for x, y in zip(row, column)) for column in zip(*b)] for row in a]").await?;
    let c: Matrix = engines.gather("c").await?;
    let right = c.iter().zip(&a).all(|(c, a)| c.iter().zip(a).all(|(c, a)| *c == 2.0 * a));
    println!("{SIZE} by {SIZE} on {} engines: {}", client.engines().len(), if right { "right" } else { "wrong" });
    client.close().await;
    Ok(())
}
