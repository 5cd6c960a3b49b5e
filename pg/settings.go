package pg

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed1239206e/repaint/internal/suggest"
)

// Options that neither this package nor pgconn knows go to the server when a connection is opened.
// If the server doesn't know one, it refuses each connection. So ParseConfig refuses what certainly
// isn't a setting.

// ownOptions are the options that ParseConfig describes.
var ownOptions = []string{
	"pool_lanes", "pool_reader_lanes", "reader_group", "reader_target", "max_lag", "max_lag_bytes", "token_wait", "host_check_period",
	"pool_sessions", "pool_queue", "pipeline", "pipeline_depth", "result_limit", "statement_cache_capacity", "default_query_exec_mode",
	"cancel_timeout", "show_parameters", "pool_min_lanes", "pool_min_sessions", "pool_min_idle_conns", "pool_max_conn_lifetime",
	"pool_max_conn_lifetime_jitter", "pool_max_conn_idle_time", "pool_health_check_period", "pool_max_conns", "pool_min_conns",
}

// foreign are options of other clients, and what to do instead.
var foreign = map[string]string{
	"pool_ping_timeout":          "it is pgxpool's: leave it out; cancel_timeout limits how long a connection may stay silent",
	"pool_size":                  "it is package db's: write pool_lanes and pool_sessions",
	"max_overflow":               "it is package db's: write pool_lanes and pool_sessions",
	"pool_timeout":               "it is package db's: a call waits as long as its context allows",
	"description_cache_capacity": "it is pgx's: write statement_cache_capacity",
	"prefer_simple_protocol":     "write default_query_exec_mode=simple_protocol, or exec, which takes arguments",
	"binary_parameters":          "it is lib/pq's: write default_query_exec_mode=exec",
}

// libpqOptions are options of libpq that pgconn doesn't have.
var libpqOptions = words(`fallback_application_name gssdelegation gssencmode gsslib hostaddr keepalives keepalives_count keepalives_idle keepalives_interval
	load_balance_hosts oauth_client_id oauth_client_secret oauth_issuer oauth_scope requirepeer requiressl scram_client_key scram_server_key ssl_max_protocol_version
	ssl_min_protocol_version sslcompression sslcrl sslcrldir sslkeylogfile`)

// pgconnOptions are the options that pgconn reads.
var pgconnOptions = words(`channel_binding connect_timeout database dbname host krbspn krbsrvname max_protocol_version min_protocol_version passfile password port
	require_auth service servicefile sslcert sslcertmode sslkey sslmode sslnegotiation sslpassword sslrootcert sslsni target_session_attrs user`)

// serverSettings are the settings that PostgreSQL, up to version 18, lets a client set for its
// connection. Names with a dot belong to extensions and applications.
var serverSettings = words(`options replication
	allow_in_place_tablespaces allow_system_table_mods application_name array_nulls backend_flush_after backslash_quote backtrace_functions bytea_output
	check_function_bodies client_connection_check_interval client_encoding client_min_messages commit_delay commit_siblings compute_query_id constraint_exclusion
	cpu_index_tuple_cost cpu_operator_cost cpu_tuple_cost createrole_self_grant cursor_tuple_fraction datestyle deadlock_timeout debug_deadlocks debug_discard_caches
	debug_logical_replication_streaming debug_parallel_query debug_pretty_print debug_print_parse debug_print_plan debug_print_rewritten default_statistics_target
	default_table_access_method default_tablespace default_text_search_config default_toast_compression default_transaction_deferrable
	default_transaction_isolation default_transaction_read_only default_with_oids dynamic_library_path effective_cache_size effective_io_concurrency
	enable_async_append enable_bitmapscan enable_distinct_reordering enable_gathermerge enable_group_by_reordering enable_hashagg enable_hashjoin
	enable_incremental_sort enable_indexonlyscan enable_indexscan enable_material enable_memoize enable_mergejoin enable_nestloop enable_parallel_append
	enable_parallel_hash enable_partition_pruning enable_partitionwise_aggregate enable_partitionwise_join enable_presorted_aggregate enable_self_join_elimination
	enable_seqscan enable_sort enable_tidscan escape_string_warning event_triggers exit_on_error extension_control_path extension_destdir extra_float_digits
	file_copy_method force_parallel_mode from_collapse_limit geqo geqo_effort geqo_generations geqo_pool_size geqo_seed geqo_selection_bias geqo_threshold
	gin_fuzzy_search_limit gin_pending_list_limit hash_mem_multiplier icu_validation_level idle_in_transaction_session_timeout idle_session_timeout
	ignore_checksum_failure ignore_system_indexes intervalstyle io_combine_limit jit jit_above_cost jit_debugging_support jit_dump_bitcode jit_expressions
	jit_inline_above_cost jit_optimize_above_cost jit_profiling_support jit_tuple_deforming join_collapse_limit lc_messages lc_monetary lc_numeric lc_time
	lo_compat_privileges local_preload_libraries lock_timeout log_connections log_disconnections log_duration log_error_verbosity log_executor_stats
	log_lock_failures log_lock_waits log_min_duration_sample log_min_duration_statement log_min_error_statement log_min_messages log_parameter_max_length
	log_parameter_max_length_on_error log_parser_stats log_planner_stats log_replication_commands log_statement log_statement_sample_rate log_statement_stats
	log_temp_files log_transaction_sample_rate logical_decoding_work_mem maintenance_io_concurrency maintenance_work_mem max_parallel_maintenance_workers
	max_parallel_workers max_parallel_workers_per_gather max_stack_depth md5_password_warnings min_parallel_index_scan_size min_parallel_table_scan_size
	operator_precedence_warning optimize_bounded_sort parallel_leader_participation parallel_setup_cost parallel_tuple_cost password_encryption plan_cache_mode
	post_auth_delay quote_all_identifiers random_page_cost recursive_worktable_factor restrict_nonsystem_relation_kind role row_security scram_iterations
	search_path seed send_abort_for_crash send_abort_for_kill seq_page_cost session_authorization session_preload_libraries session_replication_role sort_mem
	sql_inheritance ssl_renegotiation_limit standard_conforming_strings statement_timeout stats_fetch_consistency synchronize_seqscans synchronous_commit
	tcp_keepalives_count tcp_keepalives_idle tcp_keepalives_interval tcp_user_timeout temp_buffers temp_file_limit temp_tablespaces timezone
	timezone_abbreviations trace_notify trace_sort trace_syncscan track_activities track_cost_delay_timing track_counts track_functions track_io_timing
	track_wal_io_timing transaction_deferrable transaction_isolation transaction_read_only transaction_timeout transform_null_equals update_process_title
	vacuum_buffer_usage_limit vacuum_cleanup_index_scale_factor vacuum_cost_delay vacuum_cost_limit vacuum_cost_page_dirty vacuum_cost_page_hit
	vacuum_cost_page_miss vacuum_failsafe_age vacuum_freeze_min_age vacuum_freeze_table_age vacuum_max_eager_freeze_failure_rate vacuum_mem
	vacuum_multixact_failsafe_age vacuum_multixact_freeze_min_age vacuum_multixact_freeze_table_age vacuum_truncate wal_compression wal_consistency_checking
	wal_init_zero wal_recycle wal_sender_timeout wal_skip_threshold work_mem xmlbinary xmloption zero_damaged_pages`)

func words(list string) []string { return strings.Fields(list) }

// unknownOption returns an error for an option that isn't known and can't be a setting of the
// server.
func unknownOption(name string) error {
	plain := strings.ToLower(name)
	switch {
	case strings.Contains(name, "."), slices.Contains(serverSettings, plain):
		return nil
	case foreign[plain] != "":
		return fmt.Errorf("%s: there is no such option: %s", name, foreign[plain])
	case slices.Contains(libpqOptions, plain):
		return fmt.Errorf("%s: there is no such option: it is libpq's, and pgconn, which connects here, doesn't have it: leave it out", name)
	}
	all := slices.Concat(ownOptions, pgconnOptions, serverSettings)
	if meant := suggest.Closest(name, all); meant != "" {
		return fmt.Errorf("%s: there is no such option: did you mean %s? Write another setting of the server as options=-c %s=…", name, meant, name)
	}
	return fmt.Errorf("%s: there is no such option. Write another setting of the server as options=-c %s=…", name, name)
}
