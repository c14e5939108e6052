#include <algorithm>

#include <spdlog/spdlog.h>

#include "daemon/deploy/app_facts.h"
#include "daemon/deploy/slots.h"
#include "daemon/fetch/import.h"

namespace berth::deploy {

awaitable<Result<store::Import>> Slots::import(ImportRequest request) {
  if (node_.repository == nullptr)
    co_return fail(Errc::usage, "nothing can be believed on this node: berthd.toml names no root of trust ([repository] root)");
  const std::int64_t number = --imports_;
  const auto work = [this, request, number, stop = looking_.get_token()]() -> Result<store::Import> {
    const fetch::ImportOptions options{.environment = node_.options.node.environment,
                                       .allow_expired = request.allow_expired,
                                       .reserve_bytes = node_.options.stage.reserve_bytes,
                                       .take_turn = [this, &stop] { return node_.repository->take_turn(stop); }};
    BERTH_TRY(const std::filesystem::path staging, node_.store.make_staging(number));
    const auto imported = fetch::import_file(node_.repository->options(), request.path, staging, options, stop);
    if (!imported) {
      static_cast<void>(node_.store.drop_staging(number));
      return std::unexpected(imported.error());
    }
    store::Import import{.app = imported->release.app, .release = imported->release.release, .manifest_sha256 = imported->manifest_sha256,
                               .bytes = imported->bytes, .expired = imported->expired};
    if (auto same = fits(import.app, import.release, import.manifest_sha256); !same) {
      static_cast<void>(node_.store.drop_staging(number));
      return std::unexpected(std::move(same.error()));
    }
    const auto slot = node_.store.slot(import.app, import.release);
    const auto loaded = node_.store.imports(import.app);
    import.already = (slot && slot->has_value()) || std::ranges::any_of(loaded, [&](const store::Import& one) { return one.release == import.release; });
    boost::json::object data{{"release", import.release}, {"manifest_sha256", import.manifest_sha256}, {"file", request.path}};
    if (request.allow_expired) data["allow_expired"] = true;
    if (!import.expired.empty()) data["expired"] = import.expired;
    const auto kept = node_.store.keep_import(number, import, operator_event("import", import.app, request.asked, std::move(data)));
    if (kept) return import;
    static_cast<void>(node_.store.drop_staging(number));
    return std::unexpected(kept.error());
  };
  const Visits::Visit visit = co_await node_.visits.begin();
  auto done = co_await node_.pool.run(work);
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
