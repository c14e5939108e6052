#include <algorithm>

#include <fmt/core.h>
#include <sys/stat.h>

#include "core/files/files.h"
#include "core/ids.h"
#include "core/json/json.h"
#include "daemon/store/seal.h"
#include "daemon/store/state.h"

namespace berth::store {
namespace {

constexpr const char* kRecord = "import.json";
constexpr std::size_t kMostRecord = 64u << 10;

std::string to_text(const Import& import) {
  return json::text(json::object{{"app", import.app}, {"release", import.release}, {"manifest_sha256", import.manifest_sha256}, {"bytes", import.bytes},
                                 {"at", import.at}, {"expired", import.expired}}) + "\n";
}

Result<Import> read_record(const fs::path& folder) {
  BERTH_TRY(const std::string text, files::read(folder / kRecord, kMostRecord));
  BERTH_TRY(const auto parsed, json::parse(text));
  json::ObjectReader reader(parsed, (folder / kRecord).string());
  Import import{.app = reader.string("app"), .release = reader.string("release"), .manifest_sha256 = reader.string("manifest_sha256")};
  import.bytes = static_cast<std::uint64_t>(reader.integer("bytes"));
  import.at = reader.string("at");
  import.expired = reader.string("expired");
  BERTH_CHECK(reader.done());
  return import;
}

std::vector<fs::path> folders_in(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code ignored;
  for (fs::directory_iterator entry(folder, ignored), end; !ignored && entry != end; entry.increment(ignored)) found.push_back(entry->path());
  std::ranges::sort(found);
  return found;
}

}  // namespace

Result<void> Store::keep_import(std::int64_t staging, Import import, Event event) {
  if (!is_name(import.app) || !is_release_id(import.release)) return fail(Errc::usage, "an import needs the name of a release");
  const std::lock_guard trees(state_->trees);
  const fs::path staged = paths().staging() / std::to_string(staging), kept = paths().import(import.app, import.release);
  if (import.at.empty()) import.at = now_text();
  BERTH_CHECK(files::replace(staged / kRecord, to_text(import)));
  if (::chmod(staged.c_str(), 0700) != 0) return fail_errno("chmod " + staged.string());
  BERTH_CHECK(sync_tree(staged));
  BERTH_CHECK(files::make_directories(kept.parent_path(), 0700));
  BERTH_CHECK(add_event(std::move(event)));  // who asks for it is told first: berthd may end before it is kept, and never knows afterwards
  if (fs::exists(kept)) {
    BERTH_CHECK(files::exchange_durably(staged, kept));
    BERTH_CHECK(files::remove_tree(staged));
  } else {
    BERTH_CHECK(files::rename_durably(staged, kept));
  }
  return {};
}

std::vector<Import> Store::imports(const std::string& app) {
  std::vector<Import> found;
  for (const fs::path& of_app : folders_in(paths().imports())) {
    if (!app.empty() && of_app.filename() != app) continue;
    for (const fs::path& folder : folders_in(of_app))
      if (auto import = read_record(folder)) found.push_back(std::move(*import));
  }
  return found;
}

Result<std::vector<Import>> Store::needless_imports(const std::string& app, const std::vector<std::string>& in_use, bool undeployed,
                                                    const std::vector<std::string>& gone) {
  std::vector<Import> needless;
  BERTH_TRY(const auto on_node, slots(app));
  for (Import& import : imports(app)) {
    const bool has_slot = std::ranges::find(on_node, import.release, &SlotRow::release) != on_node.end() && std::ranges::find(gone, import.release) == gone.end();
    const std::lock_guard guard(state_->mutex);
    BERTH_TRY(const auto tried, state_->database.row("SELECT id FROM deployments WHERE app = ? AND release = ? LIMIT 1",
                                                     [](const Statement& row) { return row.integer(0); }, import.app, import.release));
    const auto now = state_->uses.of(app);  // a deployment may have begun since it was asked for
    const bool used = has_slot || std::ranges::find(in_use, import.release) != in_use.end() || std::ranges::find(now, import.release) != now.end();
    if (!used && (undeployed || tried)) needless.push_back(std::move(import));
  }
  return needless;
}

Result<std::vector<Import>> Store::drop_imports(const std::string& app, const std::vector<std::string>& in_use, bool undeployed) {
  const std::lock_guard trees(state_->trees);
  BERTH_TRY(auto dropped, needless_imports(app, in_use, undeployed));
  for (const Import& import : dropped) BERTH_CHECK(files::remove_tree(paths().import(import.app, import.release)));
  return dropped;
}

}  // namespace berth::store
