//! One suite for every bus: what holds in memory holds over a real NATS server, and under faults as far as it can.
//! Servers come from `tests/setup`; what only NATS can do wrong is in the test `nats` beside this one.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a failed step ends the test; figures are printed"
)]

mod delivery;
mod fixture;
mod interest;
mod leases;
mod nodes;
mod questions;
mod registry;
mod settings;
mod source;

use fixture::Fixture;
use weft_bus::faulty::Faults;

/// Makes a test of each case on one fixture.
macro_rules! on {
    ($fixture:expr; $($topic:ident: $($case:ident),+;)+) => {
        $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$topic::$case($fixture).await;
            }
        )+)+
    };
}

/// Every case about units and questions.
macro_rules! bus_cases {
    ($fixture:expr) => {
        on! { $fixture;
            delivery: units_arrive_in_order_and_unchanged, a_batch_of_several_units_and_tracks_arrives_in_order,
                large_units_arrive_whole_among_small_ones, a_unit_above_the_limit_is_dropped_and_nothing_else,
                a_reader_of_key_units_gets_key_units_and_the_end, a_reader_gets_the_units_of_its_stream_only,
                dropping_a_subscription_ends_its_delivery_only, a_slow_reader_loses_the_newest_and_nobody_else_does,
                two_publishers_of_a_name_keep_their_own_order;
            interest: a_stream_that_nobody_reads_is_paused_and_costs_nothing,
                a_request_for_units_wakes_a_paused_stream, a_stream_is_paused_again_when_its_last_reader_leaves,
                a_reader_of_key_units_is_sent_nothing_else_until_somebody_asks,
                a_request_for_key_units_wakes_those_alone, no_hole_between_the_answer_and_the_live_units,
                a_long_answer_arrives_whole, what_is_gone_is_said_to_be_gone;
            questions: questions_reach_the_owner, where_nobody_owns_it_the_asker_is_told_at_once,
                a_dropped_publication_answers_no_more, of_two_owners_the_higher_epoch_counts;
        }
    };
}

/// Every case about questions between nodes and words to publishers: none of them is lost by the dice.
macro_rules! node_cases {
    ($fixture:expr) => {
        on! { $fixture;
            nodes: a_question_reaches_the_node_and_only_it, that_there_is_no_such_node_is_known_at_once,
                a_service_that_hangs_costs_the_askers_patience_and_holds_up_no_other_question,
                a_service_that_panics_answers_the_next_question,
                of_seventy_questions_at_once_six_are_left_and_counted, offers_of_100_kib_pass_both_ways,
                a_word_reaches_who_listens_to_that_publisher_in_order,
                words_that_nobody_takes_are_dropped_from_the_newest, telling_nobody_is_no_error;
        }
    };
}

macro_rules! registry_cases {
    ($fixture:expr) => {
        on! { $fixture;
            registry: a_claimed_name_is_seen_by_all_and_held, a_record_is_replaced_only_by_who_knows_its_epoch,
                a_claim_over_what_is_gone_says_that_it_changed, only_the_record_of_that_epoch_is_removed,
                epochs_rise_across_removal_and_new_claims, of_many_claims_at_once_one_wins,
                a_claim_repeated_with_the_same_record_is_the_same_claim,
                the_list_has_every_name_in_order_and_no_removed_one, a_table_left_alone_grows_steady;
        }
    };
}

macro_rules! lease_cases {
    ($fixture:expr) => {
        on! { $fixture;
            leases: a_lease_kept_is_seen_by_all, a_lease_that_is_renewed_stays_and_is_heard_anew,
                a_name_is_held_against_another_run, the_name_of_a_dead_run_is_free_when_its_lease_is_over,
                a_node_that_is_not_heard_any_more_leaves_the_view, a_release_is_seen_by_others_at_once,
                only_the_own_lease_is_released, of_many_runs_at_once_one_gets_the_name,
                the_view_is_of_now_while_the_table_is_in_reach;
        }
    };
}

macro_rules! settings_cases {
    ($fixture:expr) => {
        on! { $fixture;
            settings: an_empty_table_is_known_to_be_empty, what_is_written_is_seen_by_all,
                a_setting_is_replaced_only_by_who_knows_its_revision,
                what_is_removed_is_gone_for_all_and_may_come_again, of_many_writers_at_once_each_change_is_kept,
                what_is_too_large_is_refused_in_words, what_was_known_stays_while_the_table_is_away;
        }
    };
}

/// Cases that hold although units are lost.
macro_rules! lossy_cases {
    ($fixture:expr) => {
        on! { $fixture;
            interest: every_loss_shows_in_seq_and_is_repaired_by_units,
                a_stream_that_nobody_reads_is_paused_and_costs_nothing, a_long_answer_arrives_whole;
            questions: questions_reach_the_owner, where_nobody_owns_it_the_asker_is_told_at_once,
                of_two_owners_the_higher_epoch_counts;
        }
    };
}

/// Three in a hundred.
fn loss(seed: u64) -> Faults {
    Faults {
        seed,
        loss: 0.03,
        ..Faults::default()
    }
}

mod memory {
    use super::Fixture;
    bus_cases!(Fixture::memory().await);
    node_cases!(Fixture::memory().await);
    registry_cases!(Fixture::memory().await);
}

mod nats {
    use super::Fixture;
    bus_cases!(Fixture::nats().await);
    node_cases!(Fixture::nats().await);
    registry_cases!(Fixture::nats().await);
}

mod leases_memory {
    use super::leases::Nodes;
    lease_cases!(Nodes::memory().await);
}

mod leases_nats {
    use super::leases::Nodes;
    lease_cases!(Nodes::nats().await);
    on! { Nodes::nats().await;
        leases: the_view_grows_old_while_the_server_is_away_and_loses_nobody,
            a_table_that_loses_all_its_entries_takes_nobody_away,
            a_server_that_comes_back_empty_gets_the_leases_again,
            a_watch_that_the_server_forgot_begins_anew, marks_of_released_leases_expire;
    }
}

mod settings_memory {
    use super::settings::Tables;
    settings_cases!(Tables::memory().await);
}

mod settings_nats {
    use super::settings::Tables;
    settings_cases!(Tables::nats().await);
    on! { Tables::nats().await;
        settings: settings_survive_the_server_and_every_node,
            a_server_that_comes_back_empty_gets_the_settings_again;
    }
}

mod nats_of_1_mb {
    use super::Fixture;
    on! { Fixture::nats_of_1_mb().await;
        delivery: large_units_arrive_whole_among_small_ones, a_unit_above_the_limit_is_dropped_and_nothing_else;
        interest: a_long_answer_arrives_whole;
    }
}

mod memory_late {
    use super::Fixture;
    bus_cases!(Fixture::memory().await.late().await);
    node_cases!(Fixture::memory().await.late().await);
    registry_cases!(Fixture::memory().await.late().await);
}

mod nats_late {
    use super::Fixture;
    bus_cases!(Fixture::nats().await.late().await);
    node_cases!(Fixture::nats().await.late().await);
}

mod memory_lossy {
    use super::Fixture;
    lossy_cases!(Fixture::memory().await.faulty(super::loss(1)));
}

mod nats_lossy {
    use super::Fixture;
    lossy_cases!(Fixture::nats().await.faulty(super::loss(2)));
}
