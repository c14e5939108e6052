#include <fmt/core.h>
#include <spdlog/spdlog.h>

#include "daemon/deploy/engine.h"
#include "daemon/fetch/import.h"

namespace berth::deploy {

/// Where a release comes from: from its file, where one was loaded, else from the repository. Blocking.
std::shared_ptr<fetch::Repository> Engine::source_of(const std::string& app, const std::string& release) const {
  std::error_code ignored;
  const std::filesystem::path folder = store_.paths().import(app, release);
  if (!std::filesystem::exists(folder, ignored)) return {std::shared_ptr<void>(), repository_};
  fetch::RepositoryOptions options = repository_->options();
  options.url = folder.string();
  options.tls = {};
  options.partial_directory.clear();  // nothing is far away
  options.offline = true;
  return std::make_shared<fetch::Repository>(std::move(options));
}

awaitable<Result<store::Import>> Engine::import(ImportRequest request) {
  if (repository_ == nullptr)
    co_return fail(Errc::usage, "nothing can be believed on this node: berthd.toml names no root of trust ([repository] root)");
  const std::int64_t number = --imports_;
  const auto work = [this, request, number, stop = looking_.get_token()]() -> Result<store::Import> {
    const fetch::ImportOptions options{.environment = options_.node.environment,
                                       .allow_expired = request.allow_expired,
                                       .reserve_bytes = options_.stage.reserve_bytes,
                                       .take_turn = [this, &stop] { return repository_->take_turn(stop); }};
    BERTH_TRY(const std::filesystem::path staging, store_.make_staging(number));
    const auto imported = fetch::import_file(repository_->options(), request.path, staging, options, stop);
    if (!imported) {
      static_cast<void>(store_.drop_staging(number));
      return std::unexpected(imported.error());
    }
    const store::Import import{.app = imported->release.app, .release = imported->release.release, .manifest_sha256 = imported->manifest_sha256,
                               .bytes = imported->bytes, .expired = imported->expired};
    if (auto fits = fits_slot(import.app, import.release, import.manifest_sha256); !fits) {
      static_cast<void>(store_.drop_staging(number));
      return std::unexpected(std::move(fits.error()));
    }
    boost::json::object data{{"release", import.release}, {"manifest_sha256", import.manifest_sha256}, {"file", request.path}};
    if (request.allow_expired) data["allow_expired"] = true;
    if (!import.expired.empty()) data["expired"] = import.expired;
    const auto kept = store_.keep_import(number, import, operator_event("import", import.app, request.asked, std::move(data)));
    if (kept) return import;
    static_cast<void>(store_.drop_staging(number));
    return std::unexpected(kept.error());
  };
  const Visits::Visit visit = co_await visits_.begin();
  auto done = co_await pool_.run(work);
  if (!done) {
    spdlog::warn("import of {}: {}", request.path, done.error().message);
  } else {
    spdlog::info("{}@{} was loaded from {}", done->app, done->release, request.path);
    if (!done->expired.empty())
      spdlog::warn("{}@{} was taken although its metadata is old (--allow-expired, {}): {}", done->app, done->release, request.asked.by, done->expired);
  }
  co_return done;
}

}  // namespace berth::deploy
