//! Objects that all instances share: snapshots of the ledger, and the rows of bulk operations until these are done. A
//! folder (`file:///...`) by default; `s3://bucket/prefix` in production.
//!
//! Everything here waits, so it is not for threads that serve. What is written is whole and durable, or not there.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::StreamExt;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload, WriteMultipart};
use tokio::runtime::{Builder, Runtime};
use url::Url;

/// Read from a file at once while it is sent.
const PIECE: usize = 1 << 20;
/// Parts of a large object that are under way at once.
const PARTS: usize = 4;

/// Why something could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The URL is not one that this build knows.
    #[error("storage.url is {0:?}; it must be file:///FOLDER, or s3://BUCKET/PREFIX in a build with S3")]
    Url(String),
    /// The store refused something.
    #[error("storage: {0}")]
    Store(#[from] object_store::Error),
    /// The local file system refused something.
    #[error("storage: {0}")]
    Io(#[from] std::io::Error),
}

/// An object, as a listing has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Below the storage's root.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// How long ago it was written.
    pub age: Duration,
}

/// A store of objects.
pub struct Storage {
    store: Arc<dyn ObjectStore>,
    root: Path,
    runtime: Drops,
}

/// A runtime that may be dropped anywhere, also where others run: what is under way is given up.
struct Drops(Option<Runtime>);

impl Drop for Drops {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drops {
    fn block_on<F: Future>(&self, work: F) -> F::Output {
        match &self.0 {
            Some(runtime) => runtime.block_on(work),
            None => unreachable!("taken by the drop only"),
        }
    }
}

fn runtime() -> std::io::Result<Drops> {
    let threads = Builder::new_multi_thread().worker_threads(1).thread_name("storage").enable_all().build()?;
    Ok(Drops(Some(threads)))
}

impl Storage {
    /// Opens `file:///...` (the folder is made where there is none) or, in builds with S3, `s3://...`, which takes its
    /// credentials from the environment as the AWS tools do.
    pub fn open(url: &str) -> Result<Self, StorageError> {
        let runtime = runtime()?;
        let wrong = || StorageError::Url(url.to_owned());
        let parsed = Url::parse(url).map_err(|_| wrong())?;
        if parsed.scheme() == "file" {
            let folder = parsed.to_file_path().map_err(|()| wrong())?;
            std::fs::create_dir_all(&folder)?;
            let store = LocalFileSystem::new_with_prefix(&folder)?.with_fsync(true);
            return Ok(Self { store: Arc::new(store), root: Path::default(), runtime });
        }
        let variables = std::env::vars().map(|(name, value)| (name.to_ascii_lowercase(), value));
        let (store, root) = object_store::parse_url_opts(&parsed, variables).map_err(|_| wrong())?;
        Ok(Self { store: Arc::from(store), root, runtime })
    }

    /// The same store with threads of its own: they have the priority of the thread that needs them first.
    pub fn another(&self) -> Result<Self, StorageError> {
        Ok(Self { store: self.store.clone(), root: self.root.clone(), runtime: runtime()? })
    }

    fn path(&self, name: &str) -> Path {
        name.split('/').fold(self.root.clone(), Path::join)
    }

    /// Writes an object.
    pub fn put(&self, name: &str, bytes: impl Into<Bytes>) -> Result<(), StorageError> {
        let payload = PutPayload::from(bytes.into());
        self.runtime.block_on(self.store.put(&self.path(name), payload))?;
        Ok(())
    }

    /// Reads an object; `None` when there is none.
    pub fn get(&self, name: &str) -> Result<Option<Bytes>, StorageError> {
        let path = self.path(name);
        let read = async { self.store.get(&path).await?.bytes().await };
        match self.runtime.block_on(read) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes a file's content as an object, a piece at a time.
    pub fn put_file(&self, name: &str, file: &FilePath) -> Result<(), StorageError> {
        let mut file = File::open(file)?;
        let path = self.path(name);
        self.runtime.block_on(async {
            let mut upload = WriteMultipart::new(self.store.put_multipart(&path).await?);
            let mut piece = vec![0; PIECE];
            loop {
                match file.read(&mut piece) {
                    Ok(0) => break,
                    Ok(read) => {
                        upload.wait_for_capacity(PARTS).await?;
                        upload.write(&piece[..read]);
                    }
                    Err(error) => {
                        upload.abort().await?;
                        return Err(error.into());
                    }
                }
            }
            upload.finish().await?;
            Ok(())
        })
    }

    /// Writes an object's content to a file; false when there is no such object.
    pub fn get_file(&self, name: &str, file: &FilePath) -> Result<bool, StorageError> {
        let path = self.path(name);
        self.runtime.block_on(async {
            let found = match self.store.get(&path).await {
                Ok(found) => found,
                Err(object_store::Error::NotFound { .. }) => return Ok(false),
                Err(error) => return Err(error.into()),
            };
            let mut out = File::create(file)?;
            let mut pieces = found.into_stream();
            while let Some(piece) = pieces.next().await {
                out.write_all(&piece?)?;
            }
            Ok(true)
        })
    }

    /// Removes an object; it is no error when there is none.
    pub fn delete(&self, name: &str) -> Result<(), StorageError> {
        match self.runtime.block_on(self.store.delete(&self.path(name))) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// All objects below a folder, in the order of their names.
    pub fn list(&self, folder: &str) -> Result<Vec<Item>, StorageError> {
        let prefix = self.path(folder);
        let now = SystemTime::now();
        let mut items = Vec::new();
        self.runtime.block_on(async {
            let mut found = self.store.list(Some(&prefix));
            while let Some(meta) = found.next().await {
                let meta = meta?;
                let Some(rest) = meta.location.prefix_match(&self.root) else { continue };
                let name = rest.map(|part| part.as_ref().to_owned()).collect::<Vec<_>>().join("/");
                let age = now.duration_since(meta.last_modified.into()).unwrap_or_default();
                items.push(Item { name, size: meta.size, age });
            }
            Ok::<_, StorageError>(())
        })?;
        items.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_is_listed_read_and_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let storage = Storage::open(&format!("file://{}", folder.path().join("new").display())).expect("a folder");
        assert_eq!(storage.list("a").expect("lists"), Vec::new());
        assert_eq!(storage.get("a/1").expect("reads"), None);
        storage.put("a/2", "zwei 二").expect("writes");
        storage.put("a/1", "eins").expect("writes");
        let names: Vec<_> = storage.list("a").expect("lists").into_iter().map(|item| (item.name, item.size)).collect();
        assert_eq!(names, [("a/1".to_owned(), 4), ("a/2".to_owned(), 8)]);
        assert_eq!(storage.get("a/2").expect("reads").as_deref(), Some("zwei 二".as_bytes()));
        storage.delete("a/2").expect("removes");
        storage.delete("a/2").expect("removes what is not there");
        assert_eq!(storage.list("a").expect("lists").len(), 1);
    }

    /// The last who holds it may be a task that ends with its process.
    #[test]
    fn it_may_be_dropped_where_nothing_may_wait() {
        let folder = tempfile::tempdir().expect("a folder");
        let storage = Storage::open(&format!("file://{}", folder.path().display())).expect("a folder");
        let outer = Builder::new_current_thread().build().expect("a runtime");
        outer.block_on(async move { drop(storage) });
    }

    #[test]
    fn files_go_there_and_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let storage = Storage::open(&format!("file://{}", folder.path().display())).expect("a folder");
        let (there, back) = (folder.path().join("there"), folder.path().join("back"));
        let content: Vec<u8> = (0..3 * PIECE + 7).map(|n| (n % 251) as u8).collect();
        std::fs::write(&there, &content).expect("writes");
        storage.put_file("files/one", &there).expect("sends");
        assert!(storage.get_file("files/one", &back).expect("fetches"));
        assert!(std::fs::read(&back).expect("reads") == content);
        assert!(!storage.get_file("files/two", &back).expect("finds nothing"));
    }

    #[test]
    fn other_urls_are_refused() {
        for url in ["", "data", "ftp://host/x"] {
            assert!(matches!(Storage::open(url), Err(StorageError::Url(_))), "{url}");
        }
    }
}
