#include "tests/tools/tuf-client/options.h"

#include <map>

namespace berth::tuf_client {
namespace {

Result<void> check_complete(const Options& options) {
  const bool is_init = options.command == "init";
  const bool is_download = options.command == "download";
  if (!is_init && !is_download && options.command != "refresh") return fail(Errc::usage, "give a command: init, refresh or download");
  if (options.metadata_folder.empty()) return fail(Errc::usage, "give --metadata-dir");
  if (is_init && options.root_file.empty()) return fail(Errc::usage, "init: give the root file");
  if (!is_init && options.metadata_url.empty()) return fail(Errc::usage, options.command + ": give --metadata-url");
  if (is_download && (options.targets.empty() || options.target_folder.empty() || options.target_url.empty()))
    return fail(Errc::usage, "download: give --target-name, --target-dir and --target-base-url");
  return {};
}

}  // namespace

Result<Options> read_options(const std::vector<std::string>& arguments) {
  Options options;
  const std::map<std::string, std::string*> named{{"--metadata-dir", &options.metadata_folder},
                                                  {"--metadata-url", &options.metadata_url},
                                                  {"--target-dir", &options.target_folder},
                                                  {"--target-base-url", &options.target_url}};
  for (std::size_t at = 0; at < arguments.size(); ++at) {
    const std::string& word = arguments[at];
    const auto option = named.find(word);
    const bool is_option = option != named.end() || word == "--target-name";
    if (is_option && at + 1 == arguments.size()) return fail(Errc::usage, word + ": its value is missing");
    if (word == "--target-name") {
      options.targets.push_back(arguments[++at]);
    } else if (is_option) {
      *option->second = arguments[++at];
    } else if (options.command.empty()) {
      options.command = word;
    } else if (options.command == "init" && options.root_file.empty()) {
      options.root_file = word;
    } else {
      return fail(Errc::usage, "'" + word + "' is not understood");
    }
  }
  BERTH_CHECK(check_complete(options));
  return options;
}

}  // namespace berth::tuf_client
