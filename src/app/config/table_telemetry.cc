// telemetry.events
#include "app/config/scalars.h"
#include "app/config/table.h"

namespace gatehouse::app {

using namespace gateway;

const Object& events_object() {
  static const Object object = Object::of<EventsConfig>(
      "events",
      "Requests that were denied, slowed down, remarked upon or failed, a sample of the others, and what people and "
      "administrators did: in data_dir/events.db, or in the PostgreSQL of state.store. Without an admin API nothing is "
      "kept, since nobody could ask.",
      {
          key<&EventsConfig::keep>("keep", boolean(), "Whether anything is kept."),
          key<&EventsConfig::age_max>("age", duration(1h, 24h * 3650), "How long."),
          key<&EventsConfig::bytes_max>("size", size<std::uint64_t>(1 << 20, std::uint64_t{1} << 44),
                                        "Of all of them, about; then the oldest go."),
          key<&EventsConfig::sample_per_million>("sample", share(),
                                                 "Of requests that passed without remark, so many are kept."),
      });
  return object;
}

}  // namespace gatehouse::app
