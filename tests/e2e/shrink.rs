//! Makes a failing cluster small: leaves out what is not needed for it to fail.

/// A small part that still fails, of which no element can be left out.
///
/// `fails` is given many candidates at once, because a trial costs seconds whatever is tried.
pub(crate) async fn shrink<T: Clone>(
    mut whole: Vec<T>,
    mut fails: impl AsyncFnMut(Vec<Vec<T>>) -> Vec<bool>,
) -> Vec<T> {
    loop {
        let mut candidates = smaller_ones(&whole);
        candidates.sort_by_key(Vec::len);
        let failing = fails(candidates.clone()).await;
        match candidates.into_iter().zip(failing).find(|(_, fails)| *fails) {
            Some((smaller, _)) => whole = smaller,
            None => return whole,
        }
    }
}

/// Without each element; and halves, quarters and eighths, alone and left out.
fn smaller_ones<T: Clone>(whole: &[T]) -> Vec<Vec<T>> {
    let mut candidates = Vec::new();
    for parts in [2, 4, 8, whole.len()] {
        let size = whole.len().div_ceil(parts.max(1)).max(1);
        for start in (0..whole.len()).step_by(size) {
            let end = (start + size).min(whole.len());
            candidates.push([&whole[..start], &whole[end..]].concat());
            if parts <= 8 && size < whole.len() {
                candidates.push(whole[start..end].to_vec());
            }
        }
    }
    candidates
}

/// Needs no control plane.
pub(crate) async fn finds_what_matters() {
    for (needs, expected) in [
        (&[3, 7][..], vec![3, 7]),
        (&[], vec![]),
        (&[0], vec![0]),
        (&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], (0..10).collect()),
    ] {
        let fails = async |candidates: Vec<Vec<usize>>| -> Vec<bool> {
            let fails = |candidate: &Vec<usize>| needs.iter().all(|need| candidate.contains(need));
            candidates.iter().map(fails).collect()
        };
        assert_eq!(shrink((0..10).collect(), fails).await, expected);
    }
    // Either of two is enough.
    let fails = async |candidates: Vec<Vec<usize>>| -> Vec<bool> {
        candidates.iter().map(|has| has.contains(&2) || has.contains(&5)).collect()
    };
    assert_eq!(shrink((0..10).collect(), fails).await.len(), 1);
}
