// A TUF client over berth's trust library, with the command line that conformance suites drive:
//
//   tuf-client --metadata-dir D init ROOT
//   tuf-client --metadata-dir D --metadata-url U refresh
//   tuf-client --metadata-dir D --metadata-url U --target-name T… --target-dir TD --target-base-url TU download
//
// It exits with 0, or with 1 on any failure.

#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <thread>

#include <fcntl.h>
#include <sys/stat.h>

#include "core/crypto/sha256.h"
#include "core/files/files.h"
#include "core/trust/client.h"
#include "core/trust/http_remote.h"
#include "core/trust/role_name.h"
#include "tests/tools/tuf-client/options.h"

namespace berth::tuf_client {
namespace {

constexpr std::size_t kMostFile = 256u << 20;
constexpr std::size_t kMostName = 240;  ///< bytes; the file system's limit is 255, and a temporary name is a little longer
constexpr int kMostTurns = 1000;        ///< a file from the future, as after a step of the clock, is not waited for

/// The same name for the same target, directly in the folder, and never hidden. Names too long for a file end in a digest of themselves.
std::string local_name(const std::string& target) {
  std::string name = trust::encode_role(target);
  if (name.starts_with('.')) name.replace(0, 1, "%2E");
  return name.size() <= kMostName ? name : name.substr(0, kMostName - 65) + "~" + crypto::sha256_hex(target);
}

/// Has `file` be the newest in its folder: its readers sort by time, and two files may be written in one tick of the kernel's clock.
void make_newest(const std::filesystem::path& file) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(file.parent_path(), error)) {
    if (entry.path() == file) continue;
    for (int turn = 0; turn < kMostTurns && entry.last_write_time(error) >= std::filesystem::last_write_time(file, error); ++turn) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      ::utimensat(AT_FDCWD, file.c_str(), nullptr, 0);
    }
  }
}

Result<void> download(trust::Client& client, trust::Remote& targets, const Options& options, const std::string& name) {
  BERTH_TRY(const trust::Target target, client.find(name));
  const auto file = std::filesystem::path(options.target_folder) / local_name(name);
  if (const auto held = files::read(file, kMostFile); held && trust::check_target(*held, target)) return {};
  BERTH_TRY(const std::string bytes, client.download(target, targets));
  BERTH_CHECK(files::replace(file, bytes));
  make_newest(file);
  return {};
}

Result<void> run(const std::vector<std::string>& arguments) {
  BERTH_TRY(const Options options, read_options(arguments));
  const io::FetchOptions fetch{.stall_timeout = std::chrono::seconds(5), .total_timeout = std::chrono::minutes(1), .user_agent = "berth tuf-client"};
  trust::HttpRemote metadata(options.metadata_url, fetch);
  trust::Client client(options.metadata_folder, metadata, [] { return std::chrono::system_clock::now(); });
  if (options.command == "init") {
    BERTH_TRY(const std::string root, files::read(options.root_file, kMostFile));
    return client.init(root);
  }
  BERTH_CHECK(client.refresh());
  trust::HttpRemote targets(options.target_url, fetch);
  for (const std::string& name : options.targets) BERTH_CHECK(download(client, targets, options, name));
  return {};
}

}  // namespace
}  // namespace berth::tuf_client

int main(int count, char** words) {
  std::signal(SIGPIPE, SIG_IGN);  // whoever reads what is said here may leave: no reason for another exit status
  std::string complaint;
  try {
    const auto done = berth::tuf_client::run({words + 1, words + count});
    if (done) return 0;
    complaint = done.error().message;
  } catch (const std::exception& thrown) {
    complaint = thrown.what();
  }
  std::fprintf(stderr, "tuf-client: %s\n", complaint.c_str());
  return 1;
}
