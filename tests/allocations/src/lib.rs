//! Counts what a thread asks the allocator for: whoever uses this crate runs on the system's allocator with a counter before it.
//! For tests and benches only; what is an acceptable count is theirs to say.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::Write;

/// The system's allocator, counted.
struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

thread_local! {
    /// Without a destructor and without a lazy beginning, so that reaching it allocates nothing.
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

fn one_more() {
    // Not reachable only while a thread ends, which nobody measures.
    COUNT.try_with(|count| count.set(count.get() + 1)).ok();
}

// SAFETY: each call goes to the system's allocator as it came; the counter beside it touches no allocated memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        one_more();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        one_more();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        one_more();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

/// Allocations and reallocations of this thread so far.
#[must_use]
pub fn count() -> u64 {
    COUNT.get()
}

/// Runs `work` so often and gives the allocations of each time on average, after a tenth as many that are not counted.
pub fn each(times: u32, mut work: impl FnMut()) -> f64 {
    for _ in 0..times / 10 {
        work();
    }
    let before = count();
    for _ in 0..times {
        work();
    }
    (count() - before) as f64 / f64::from(times)
}

/// Prints a count beside what a bench or a test prints by itself.
pub fn tell(what: &str, allocations: f64) {
    // A closed standard error is no reason to fail.
    drop(writeln!(
        std::io::stderr(),
        "{what}: {allocations:.2} allocations"
    ));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint::black_box;

    #[test]
    fn what_is_allocated_here_is_counted_and_what_others_allocate_is_not() {
        assert!((each(100, || drop(black_box(Box::new(1)))) - 1.0).abs() < f64::EPSILON);
        assert!(each(100, || drop(black_box(Vec::<u8>::new()))).abs() < f64::EPSILON);
        let mut grown = Vec::with_capacity(1);
        let before = count();
        grown.extend_from_slice(black_box(&[1, 2]));
        assert_eq!(count() - before, 1, "a reallocation is one");
        let before = count();
        std::thread::scope(|scope| {
            let spawned = count();
            scope.spawn(|| drop(black_box(vec![1; 100]))).join().ok();
            assert!(count() - spawned < 20, "starting the thread is this one's");
        });
        assert!(count() > before);
    }
}
