// A TUF client over berth's trust library, with the command line that conformance suites drive:
//
//   tuf-client --metadata-dir D init ROOT
//   tuf-client --metadata-dir D --metadata-url U refresh
//   tuf-client --metadata-dir D --metadata-url U --target-name T… --target-dir TD --target-base-url TU download
//
// It exits with 0, or with 1 on any failure.

#include <cstdio>
#include <filesystem>

#include <fmt/core.h>

#include "core/files/files.h"
#include "core/trust/client.h"
#include "core/trust/http_remote.h"
#include "core/trust/role_name.h"
#include "tests/tools/tuf-client/options.h"

namespace berth::tuf_client {
namespace {

constexpr std::size_t kMostFile = 256u << 20;

/// The same name for the same target, directly in the folder, and never hidden.
std::filesystem::path local_file(const Options& options, const std::string& target) {
  std::string name = trust::encode_role(target);
  if (name.starts_with('.')) name.replace(0, 1, "%2E");
  return std::filesystem::path(options.target_folder) / name;
}

Result<void> download(trust::Client& client, trust::Remote& targets, const Options& options, const std::string& name) {
  BERTH_TRY(const trust::Target target, client.find(name));
  const auto file = local_file(options, name);
  if (const auto held = files::read(file, kMostFile); held && trust::check_target(*held, target)) return {};
  BERTH_TRY(const std::string bytes, client.download(target, targets));
  return files::replace(file, bytes);
}

Result<void> run(const std::vector<std::string>& arguments) {
  BERTH_TRY(const Options options, read_options(arguments));
  const io::FetchOptions fetch{.total_timeout = std::chrono::minutes(5), .user_agent = "berth tuf-client"};
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
  const auto done = berth::tuf_client::run({words + 1, words + count});
  if (done) return 0;
  fmt::print(stderr, "tuf-client: {}\n", done.error().message);
  return 1;
}
