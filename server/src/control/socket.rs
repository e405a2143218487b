//! Where the control socket of a data folder stands, and that it is ours.

use std::{
    fmt::Write as _,
    fs, io,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _},
    },
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};
use tokio::net::{UnixListener, UnixStream};

use super::ControlError;
use crate::{config::DataFolder, settings::SocketHomes};

/// The socket file of a running server; removed when the server ends.
#[derive(Debug)]
pub struct BoundSocket {
    /// Accepts commands.
    pub listener: UnixListener,
    path: PathBuf,
}

impl Drop for BoundSocket {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, "could not remove the control socket");
        }
    }
}

/// Makes the socket of `folder`. The caller holds the folder's lock, so a socket file that is
/// there already is a dead server's and is replaced.
pub fn bind(folder: &DataFolder, homes: &SocketHomes) -> Result<BoundSocket, ControlError> {
    let name = file_name(folder)?;
    let mut first_failure = None;
    for home in candidates(homes) {
        match prepare(&home).and_then(|()| bind_in(&home, &name)) {
            Ok(socket) => return Ok(socket),
            Err(error) => {
                tracing::debug!(%error, home = %home.display(), "no control socket here");
                first_failure.get_or_insert(error);
            }
        }
    }
    Err(first_failure.unwrap_or_else(|| ControlError::NotRunning(folder.path().to_owned())))
}

/// Connects to the server of `folder`, wherever its socket stands.
pub async fn connect(folder: &DataFolder, homes: &SocketHomes) -> Result<UnixStream, ControlError> {
    let not_running = || ControlError::NotRunning(folder.path().to_owned());
    let name = file_name(folder).map_err(|_| not_running())?;
    for home in candidates(homes) {
        match fs::symlink_metadata(&home) {
            Ok(metadata) if is_private(&metadata) => {}
            Ok(_) => return Err(ControlError::Foreign(home)),
            Err(_) => continue,
        }
        let path = home.join(&name);
        let Ok(stream) = UnixStream::connect(&path).await else {
            continue;
        };
        if !is_own(&stream) {
            return Err(ControlError::Foreign(path));
        }
        return Ok(stream);
    }
    Err(not_running())
}

/// Whether the other end runs as the same user.
pub fn is_own(stream: &UnixStream) -> bool {
    stream
        .peer_cred()
        .is_ok_and(|credentials| credentials.uid() == rustix::process::geteuid().as_raw())
}

/// `<hash of the real path>.sock`: every name of the folder leads to the same socket.
fn file_name(folder: &DataFolder) -> Result<String, ControlError> {
    let real = fs::canonicalize(folder.path())
        .map_err(|error| ControlError::Bind(folder.path().to_owned(), error))?;
    let mut name = String::new();
    // Ten bytes: the whole path has to stay under 104 bytes on macOS.
    for byte in Sha256::digest(real.as_os_str().as_bytes()).iter().take(10) {
        // Writing to a String cannot fail.
        write!(name, "{byte:02x}").unwrap_or_default();
    }
    name.push_str(".sock");
    Ok(name)
}

fn candidates(homes: &SocketHomes) -> Vec<PathBuf> {
    let user = rustix::process::geteuid().as_raw();
    homes
        .runtime
        .iter()
        .map(|runtime| runtime.join("healthsync"))
        .chain([homes.temporary.join(format!("healthsync-{user}"))])
        .collect()
}

/// Makes the folder, or checks that the one which is there is ours alone.
fn prepare(home: &Path) -> Result<(), ControlError> {
    let failed = |error| ControlError::Bind(home.to_owned(), error);
    match fs::DirBuilder::new().mode(0o700).create(home) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed(error)),
    }
    // Not followed: a link in a folder that all may write to leads where its maker wants.
    let metadata = fs::symlink_metadata(home).map_err(failed)?;
    if is_private(&metadata) {
        Ok(())
    } else {
        Err(ControlError::Foreign(home.to_owned()))
    }
}

/// What a group and others may do (POSIX permission bits).
const OTHERS: u32 = 0o077;

fn is_private(metadata: &fs::Metadata) -> bool {
    metadata.is_dir()
        && metadata.uid() == rustix::process::geteuid().as_raw()
        && metadata.permissions().mode() & OTHERS == 0
}

fn bind_in(home: &Path, name: &str) -> Result<BoundSocket, ControlError> {
    let path = home.join(name);
    let failed = |error| ControlError::Bind(home.to_owned(), error);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let listener = UnixListener::bind(&path).map_err(failed)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(BoundSocket { listener, path })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn homes(root: &Path, runtime: bool) -> SocketHomes {
        SocketHomes {
            runtime: runtime.then(|| root.join("run")),
            temporary: root.to_owned(),
        }
    }

    #[tokio::test]
    async fn client_finds_the_socket_wherever_it_stands() {
        let root = tempfile::tempdir().unwrap();
        let folder = DataFolder::at(root.path().join("data"));
        folder.prepare().unwrap();
        fs::create_dir(root.path().join("run")).unwrap();
        for (server_has_runtime, client_has_runtime) in
            [(true, true), (false, true), (false, false)]
        {
            let socket = bind(&folder, &homes(root.path(), server_has_runtime)).unwrap();
            connect(&folder, &homes(root.path(), client_has_runtime))
                .await
                .unwrap();
            drop(socket);
            let error = connect(&folder, &homes(root.path(), client_has_runtime))
                .await
                .unwrap_err();
            assert!(error.is_unreachable());
        }
    }

    #[tokio::test]
    async fn dead_socket_is_replaced() {
        let root = tempfile::tempdir().unwrap();
        let folder = DataFolder::at(root.path().to_owned());
        let homes = homes(root.path(), false);
        let socket = bind(&folder, &homes).unwrap();
        let path = socket.path.clone();
        // A killed server leaves its file behind.
        let (dead, socket) = (root.path().join("dead"), socket);
        fs::rename(&path, &dead).unwrap();
        drop(socket);
        fs::rename(&dead, &path).unwrap();
        assert!(connect(&folder, &homes).await.unwrap_err().is_unreachable());
        let _socket = bind(&folder, &homes).unwrap();
        connect(&folder, &homes).await.unwrap();
    }

    #[tokio::test]
    async fn link_and_open_folder_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let folder = DataFolder::at(root.path().to_owned());
        let homes = homes(root.path(), false);
        let home = candidates(&homes).remove(0);
        fs::create_dir(root.path().join("elsewhere")).unwrap();
        std::os::unix::fs::symlink(root.path().join("elsewhere"), &home).unwrap();
        assert!(matches!(
            bind(&folder, &homes).unwrap_err(),
            ControlError::Foreign(_)
        ));
        assert!(matches!(
            connect(&folder, &homes).await.unwrap_err(),
            ControlError::Foreign(_)
        ));
        fs::remove_file(&home).unwrap();
        fs::create_dir(&home).unwrap();
        fs::set_permissions(&home, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(
            bind(&folder, &homes).unwrap_err(),
            ControlError::Foreign(_)
        ));
    }
}
