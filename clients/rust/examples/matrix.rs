//! A matrix product over blocks of rows that are scattered over the engines:
//! `cargo run -p paraply --features ndarray --example matrix`.

use ndarray::{Array2, Axis, Ix2, concatenate};
use paraply::{
    Client,
    values::{Nd, NdArray},
};

const SIZE: usize = 120;
const ROWS: usize = 15;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let a = Array2::from_shape_fn((SIZE, SIZE), |(row, column)| (row * column % 7) as f64);
    let b = Array2::from_shape_fn((SIZE, SIZE), |(row, column)| (row + column) as f64);
    let client = Client::connect().await?;
    client.wait_for_engines(1).await?;
    let engines = client.broadcast();
    // Each engine has some blocks of a, and all of b.
    let blocks: Vec<_> = a.axis_chunks_iter(Axis(0), ROWS).map(Nd).collect();
    engines.scatter("blocks", &blocks).await?;
    engines.push("b", &Nd(b.view())).await?;
    engines.execute("products = [block @ b for block in blocks]").await?;
    let products: Vec<NdArray<f64, Ix2>> = engines.gather("products").await?;
    let products: Vec<_> = products.iter().map(|product| product.0.view()).collect();
    let right = concatenate(Axis(0), &products)? == a.dot(&b);
    println!("{SIZE} by {SIZE} on {} engines: {}", client.engines().len(), if right { "right" } else { "wrong" });
    client.close().await;
    Ok(())
}
