#pragma once

#include <string>
#include <vector>

#include "daemon/api/call.h"

namespace berth::api {

/// "an operator".
std::string with_article(Role role);

/// What a caller is refused whose role is not enough for `route`, that is none of its app's, or that has to be on the node; nothing: it may.
std::optional<Error> refusal(const struct Route& route, const std::map<std::string, std::string>& parameters, const Caller& caller);

/// `Errc::permission` for an app that the caller does not see. An empty one is every app that it does.
Result<void> check_app(const Caller& caller, const std::string& app);

/// `Errc::not_found`, as of one that there is not, for a deployment of an app that the caller does not see.
awaitable<Result<void>> check_deployment(deploy::Operations& operations, const Caller& caller, std::int64_t id);

/// The newest of the deployments that are `wanted`, of every app that the caller sees where it names none.
awaitable<Result<std::vector<deploy::DeploymentStatus>>> deployments_seen(Call& call, store::DeploymentQuery wanted);

/// Likewise the events from number `first` on. Those of no app are for callers who see all.
awaitable<Result<std::vector<store::Event>>> events_seen(Call& call, std::int64_t first, int most, std::string app);

/// The number from which on there are the newest `most` of those.
awaitable<Result<std::int64_t>> first_of_newest_seen(Call& call, int most, std::string app);

/// Leaves out what `caller` does not see.
void leave_others_out(const Caller& caller, metrics::NodeStatus& node, std::vector<deploy::AppStatus>& apps);

}  // namespace berth::api
