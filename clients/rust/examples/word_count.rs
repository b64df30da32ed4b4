//! Words of files, counted on all engines and put together here: `cargo run -p paraply --example word_count README.md`.

use std::{collections::BTreeMap, env, fs};

use futures_util::TryStreamExt as _;
use paraply::{Client, Function};

/// What engines run, for one part of the text.
const COUNT: &str = "
def count(text):
    import collections, re
    return dict(collections.Counter(re.findall(r'\\w+', text.lower())))
";

/// Lines of one task.
const LINES: usize = 200;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = env::args().skip(1).map(fs::read_to_string).collect::<Result<Vec<_>, _>>()?;
    let lines: Vec<&str> = files.iter().flat_map(|text| text.lines()).collect();
    let client = Client::connect().await?;
    let parts = lines.chunks(LINES).map(|part| part.join("\n"));
    let mut counts = client.balanced().map::<BTreeMap<String, u64>, _>(Function::source(COUNT), parts).unordered();
    let mut words = BTreeMap::new();
    while let Some(part) = counts.try_next().await? {
        for (word, count) in part {
            *words.entry(word).or_insert(0) += count;
        }
    }
    let mut words: Vec<_> = words.into_iter().collect();
    words.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    for (word, count) in words.iter().take(10) {
        println!("{count:8} {word}");
    }
    drop(counts);
    client.close().await;
    Ok(())
}
