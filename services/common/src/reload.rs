//! Values made from files, and made anew when the files change: certificates and tokens are replaced under a running
//! service.

use std::{
    fmt::{self, Display},
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use sha2::{Digest as _, Sha256};

use crate::{
    clock,
    spawn::{Task, spawn},
};

/// How often files are looked at. Kubernetes takes a minute to bring a changed Secret to a pod.
const INTERVAL: Duration = Duration::from_secs(2);

/// The latest value. Cheap to clone; all clones see the same.
pub struct Reloaded<T> {
    current: Arc<RwLock<Arc<T>>>,
    /// Ends with the last clone.
    _watching: Option<Arc<Task<()>>>,
}

impl<T: Send + Sync + 'static> Reloaded<T> {
    /// One that stays as it is.
    #[must_use]
    pub fn fixed(value: T) -> Self {
        Self { current: Arc::new(RwLock::new(Arc::new(value))), _watching: None }
    }

    /// The value that `make` makes, and makes again when one of `files` has another content. Where it cannot, the old
    /// value stays, and the log says why. `make` is given the value before. Within a runtime.
    ///
    /// # Errors
    /// That of `make`, the first time.
    pub fn new<E: Display + 'static>(
        what: &'static str,
        files: Vec<PathBuf>,
        make: impl Fn(Option<&T>) -> Result<T, E> + Send + Sync + 'static,
    ) -> Result<Self, E> {
        let seen = files.iter().map(read).collect();
        let current = Arc::new(RwLock::new(Arc::new(make(None)?)));
        if files.is_empty() {
            return Ok(Self { current, _watching: None });
        }
        let watching = spawn(watch(what, files, seen, Arc::clone(&current), make));
        Ok(Self { current, _watching: Some(Arc::new(watching)) })
    }

    /// The value as it is now.
    #[must_use]
    pub fn get(&self) -> Arc<T> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn watch<T: Send + Sync + 'static, E: Display + 'static>(
    what: &'static str,
    files: Vec<PathBuf>,
    mut seen: Vec<Option<Seen>>,
    current: Arc<RwLock<Arc<T>>>,
    make: impl Fn(Option<&T>) -> Result<T, E> + Send + Sync + 'static,
) {
    let make = Arc::new(make);
    loop {
        clock::sleep_until(clock::now() + INTERVAL).await;
        let (paths, before, make) = (files.clone(), seen.clone(), Arc::clone(&make));
        let old = Arc::clone(&current.read().unwrap_or_else(PoisonError::into_inner));
        // Files may be on a disk that takes its time, and the caller's thread has none.
        #[allow(clippy::disallowed_methods, reason = "nothing waits for it but the line below")]
        let looked = tokio::task::spawn_blocking(move || {
            let now: Vec<_> = paths.iter().map(read).collect();
            let made = (now != before).then(|| make(Some(&old)).map_err(|error| error.to_string()));
            (now, made)
        });
        let Ok((now, made)) = looked.await else { continue };
        seen = now;
        match made {
            None => {}
            Some(Ok(value)) => {
                tracing::info!(?files, "{what}: the files have changed and are used from now on");
                *current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
            }
            Some(Err(error)) => {
                tracing::warn!(error, "{what}: the files have changed and cannot be used; what was there before stays");
            }
        }
    }
}

/// What tells contents apart, without keeping secrets a second time.
type Seen = [u8; 32];

fn read(path: &PathBuf) -> Option<Seen> {
    std::fs::read(path).ok().map(|content| Sha256::digest(content).into())
}

impl<T> Clone for Reloaded<T> {
    fn clone(&self) -> Self {
        Self { current: Arc::clone(&self.current), _watching: self._watching.clone() }
    }
}

impl<T> fmt::Debug for Reloaded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloaded").finish_non_exhaustive()
    }
}
