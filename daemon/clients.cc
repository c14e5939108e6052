#include "daemon/clients.h"

#include <spdlog/spdlog.h>

namespace berth {
namespace {

api::Role role_of(config::ClientRole role) {
  switch (role) {
    case config::ClientRole::viewer: return api::Role::viewer;
    case config::ClientRole::deployer: return api::Role::deployer;
    case config::ClientRole::operator_: return api::Role::operator_;
    case config::ClientRole::admin: return api::Role::admin;
  }
  return api::Role::viewer;
}

}  // namespace

std::vector<api::Client> clients_of(const config::Config& config) {
  std::vector<api::Client> clients;
  for (const config::ApiClient& client : config.clients) clients.push_back({client.name, role_of(client.role), client.apps});
  return clients;
}

std::vector<api::Group> groups_of(const config::Config& config) {
  std::vector<api::Group> groups;
  if (!config.group.empty()) {
    if (const auto number = api::group_named(config.group)) groups.push_back({*number, api::Role::admin, {}});
    else spdlog::warn("there is no group '{}' ([api] group): nobody has all rights here but root", config.group);
  }
  for (const config::ApiGroup& one : config.groups) {
    if (const auto number = api::group_named(one.group)) groups.push_back({*number, role_of(one.role), one.apps});
    else spdlog::warn("there is no group '{}' ([[api.local]]): it counts for nothing until a reload finds one", one.group);
  }
  return groups;
}

}  // namespace berth
