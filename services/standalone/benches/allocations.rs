//! How much memory a redemption asks for on its way from the edge to the answer: in bytes, and how often.
//!
//! All of the process is counted, what is kept as state and what is given back at once.

mod support;

use support::Shop;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const WARM_UP: usize = 5_000;
const MEASURED: usize = 20_000;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let _profiler = dhat::Profiler::builder().testing().build();
    let mut shop = Shop::open(folder.path(), WARM_UP + MEASURED).await;
    let (warm_up, measured) = (shop.redemptions(WARM_UP), shop.redemptions(MEASURED));
    shop.redeem(warm_up).await;
    let before = dhat::HeapStats::get();
    shop.redeem(measured).await;
    let after = dhat::HeapStats::get();
    let each = |before: u64, after: u64| (after - before) as f64 / MEASURED as f64;
    #[expect(clippy::print_stdout, reason = "it is what this is for")]
    {
        println!("bytes allocated per redemption: {:.0}", each(before.total_bytes, after.total_bytes));
        println!("allocations per redemption: {:.1}", each(before.total_blocks, after.total_blocks));
        let kept = after.curr_bytes as f64 - before.curr_bytes as f64;
        println!("bytes kept per redemption: {:.0}", kept / MEASURED as f64);
    }
    shop.close().await;
}
