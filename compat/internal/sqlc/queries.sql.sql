-- name: AddAuthor :one
insert into authors (name, tags, scores) values ($1, $2, $3) returning id;

-- name: AddPosts :exec
insert into posts (author_id, title, slug)
select sqlc.arg(author_id)::bigint, unnest(sqlc.arg(titles)::text[]), unnest(sqlc.arg(slugs)::text[]);

-- name: AddOnePost :exec
insert into posts (author_id, title, slug) values ($1, $2, $3);

-- name: AuthorByID :one
select * from authors where id = $1;

-- name: PostsOf :many
select title, slug from posts where author_id = any(sqlc.arg(ids)::bigint[]) order by title;

-- name: Rename :exec
update authors set name = $2 where id = $1;

-- name: Tagged :one
select count(*) from authors where tags ? sqlc.arg(tag)::text;

-- name: DeleteAuthor :execrows
delete from authors where id = $1;
