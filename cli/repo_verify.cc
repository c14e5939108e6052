#include <chrono>
#include <memory>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <fmt/core.h>

#include "cli/output/text.h"
#include "cli/repo.h"
#include "core/publish/verify_repository.h"

namespace berth::cli {
namespace {

Result<Exit> verify(const Console& console, const std::string& folder) {
  BERTH_TRY(const auto found, publish::verify_repository(folder, std::chrono::system_clock::now()));
  const Exit exit = found.faults.empty() ? Exit::ok : Exit::trust;
  if (console.json) {
    console.document(boost::json::object{{"releases", found.releases}, {"blobs", found.blobs}, {"bytes", found.bytes},
                                         {"faults", boost::json::array(found.faults.begin(), found.faults.end())}});
    return exit;
  }
  for (const std::string& fault : found.faults) console.line(printable(fault));
  console.line(fmt::format("{}: {} and {} read, {}: {}", folder, count_text(found.releases, "release"), count_text(found.blobs, "blob"), bytes_text(found.bytes),
                           found.faults.empty() ? "all is as it was signed" : fmt::format("{} faults", found.faults.size())));
  return exit;
}

}  // namespace

Verb repo_verify_verb() {
  auto folder = std::make_shared<std::string>();
  return {.name = "verify",
          .summary = "Read everything a repository holds, and compare it with what is signed",
          .examples = {"berth repo verify ./repo", "berth repo verify ./repo --json"},
          .exits = {Exit::failed, Exit::not_found, Exit::trust},
          .arguments = {repository_argument(*folder)},
          .action = [folder](Console& console) { return verify(console, *folder); }};
}

}  // namespace berth::cli
