#pragma once

#include <array>
#include <string_view>

// What a process with `root = "image"` finds in its root file system beside what its build holds. All of these are in the build already, empty, since
// a slot is read-only: `berth build` puts them there. The keeper mounts on them (daemon/keeper/image_root.cc).

namespace berth::spec {

/// Folders, below the build's tree.
inline constexpr std::array<std::string_view, 9> kImageMounts{"berth/config", "berth/data", "berth/run", "berth/secrets", "dev",
                                                              "proc",         "run",        "sys",       "tmp"};
/// The one of them that a path of the build, without a slash in front, lies below: what the build has there is hidden from the process. Empty: none.
constexpr std::string_view image_mount_above(std::string_view path) {
  for (const std::string_view mount : kImageMounts)
    if (path.starts_with(mount) && path.size() > mount.size() && path[mount.size()] == '/') return mount;
  return {};
}
/// Files, of the node.
inline constexpr std::string_view kImageHosts = "etc/hosts", kImageResolver = "etc/resolv.conf";

// As the process sees them.
inline constexpr const char* kImageConfig = "/berth/config";    ///< BERTH_CONFIG_DIR
inline constexpr const char* kImageData = "/berth/data";        ///< BERTH_DATA_DIR, writable
inline constexpr const char* kImageRun = "/berth/run";          ///< BERTH_RUN_DIR, writable
inline constexpr const char* kImageSecrets = "/berth/secrets";  ///< BERTH_SECRETS_DIR
inline constexpr const char* kImageTmp = "/tmp";                ///< TMPDIR, writable
inline constexpr const char* kImagePath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";  ///< PATH, where nothing says another one

}  // namespace berth::spec
