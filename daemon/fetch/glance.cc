#include "daemon/fetch/glance.h"

#include "core/io/http_if_changed.h"
#include "core/trust/http_remote.h"
#include "core/trust/limits.h"

namespace berth::fetch {
namespace {

constexpr std::chrono::seconds kMostGlanceTime{30};

bool is_at_web(const std::string& url) { return url.starts_with("http://") || url.starts_with("https://"); }

}  // namespace

Result<Glance> glance(const std::string& url, const Stamp& seen, io::FetchOptions options, std::stop_token stop) {
  const bool same_place = seen.url == url && !seen.bytes.empty();
  Glance found{.stamp = {.url = url}};
  options.most = trust::kMostTimestamp;
  options.total_timeout = kMostGlanceTime;
  if (is_at_web(url)) {
    BERTH_TRY(auto answer, io::http_get_if_changed(url + "/metadata/timestamp.json", options, same_place ? seen.etag : "", std::move(stop)));
    if (answer.unchanged) return Glance{.unchanged = true, .stamp = seen};
    found.stamp.etag = std::move(answer.etag);
    found.stamp.bytes = std::move(answer.body);
  } else {
    BERTH_TRY(const auto remote, trust::remote_at(url, "metadata", options, std::move(stop)));
    BERTH_TRY(found.stamp.bytes, remote->get("timestamp.json", trust::kMostTimestamp));
  }
  found.unchanged = same_place && found.stamp.bytes == seen.bytes;
  return found;
}

}  // namespace berth::fetch
